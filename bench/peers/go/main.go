// Go's net/http: `server WORKLOAD PORT`. It has no compression of its own, so it stays out of json-comp.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

type item struct {
	ID       int      `json:"id"`
	Name     string   `json:"name"`
	Category string   `json:"category"`
	Price    int      `json:"price"`
	Quantity int      `json:"quantity"`
	Active   bool     `json:"active"`
	Tags     []string `json:"tags"`
	Rating   struct {
		Score int `json:"score"`
		Count int `json:"count"`
	} `json:"rating"`
	Total int `json:"total"`
}

var items []item

func main() {
	workload, port := os.Args[1], os.Args[2]
	mux := http.NewServeMux()
	switch workload {
	case "hello":
		mux.HandleFunc("GET /{$}", hello)
	case "httparena":
		file, err := os.ReadFile(os.Getenv("DATASET_PATH"))
		if err != nil {
			log.Fatal(err)
		}
		if err := json.Unmarshal(file, &items); err != nil {
			log.Fatal(err)
		}
		mux.HandleFunc("/baseline11", baseline)
		mux.HandleFunc("GET /pipeline", func(w http.ResponseWriter, _ *http.Request) { sendText(w, "ok") })
		mux.HandleFunc("GET /json/{count}", totals)
		mux.HandleFunc("POST /upload", upload)
	default:
		log.Fatalf("no workload %s", workload)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, mux))
}

func hello(w http.ResponseWriter, _ *http.Request) {
	sendJSON(w, map[string]string{"message": "Hello High Concurrency API"})
}

func baseline(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	terms := []string{query.Get("a"), query.Get("b")}
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		terms = append(terms, strings.TrimSpace(string(body)))
	}
	sum := 0
	for _, text := range terms {
		term, err := strconv.Atoi(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		sum += term
	}
	sendText(w, strconv.Itoa(sum))
}

func totals(w http.ResponseWriter, r *http.Request) {
	count, badCount := strconv.Atoi(r.PathValue("count"))
	m, badM := strconv.Atoi(r.URL.Query().Get("m"))
	if badCount != nil || badM != nil || count < 0 || count > len(items) {
		http.Error(w, "count and m are integers", http.StatusBadRequest)
		return
	}
	found := make([]item, count)
	for i, each := range items[:count] {
		each.Total = each.Price * each.Quantity * m
		found[i] = each
	}
	sendJSON(w, struct {
		Items []item `json:"items"`
		Count int    `json:"count"`
	}{found, count})
}

func upload(w http.ResponseWriter, r *http.Request) {
	bytes, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sendText(w, strconv.FormatInt(bytes, 10))
}

func sendText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, text)
}

func sendJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}
