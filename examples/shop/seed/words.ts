// The words that seeded products are made of.

export interface Kind {
  readonly name: string
  readonly fromCents: number
  readonly toCents: number
}

const kind = (name: string, from: number, to: number): Kind => ({ name, fromCents: from * 100, toCents: to * 100 })

interface Category {
  readonly materials: readonly string[]
  /** Sentences. */
  readonly care: readonly string[]
  readonly kinds: readonly Kind[]
}

export const CATEGORIES: Readonly<Record<string, Category>> = {
  kitchen: {
    materials: ['Cast Iron', 'Stainless Steel', 'Stoneware', 'Bamboo', 'Copper', 'Beech', 'Borosilicate Glass'],
    care: ['Hand wash only.', 'Safe in the dishwasher.', 'Rinse and dry after use.'],
    kinds: [
      kind('Frying Pan', 19, 120),
      kind('Saucepan', 15, 140),
      kind('Chopping Board', 9, 60),
      kind('Mixing Bowl', 6, 45),
      kind('Teapot', 14, 90),
      kind('Coffee Grinder', 24, 180),
      kind('Bread Tin', 7, 35),
      kind('Chef Knife', 25, 220),
      kind('Pepper Mill', 12, 65),
      kind('Salad Servers', 6, 30),
    ],
  },
  furniture: {
    materials: ['Oak', 'Walnut', 'Ash', 'Birch', 'Powder-coated Steel', 'Rattan', 'Reclaimed Pine'],
    care: ['Oil twice a year.', 'Wipe clean with a damp cloth.', 'Delivered flat, with the one tool it needs.'],
    kinds: [
      kind('Desk', 120, 900),
      kind('Dining Table', 220, 1800),
      kind('Bookcase', 80, 700),
      kind('Armchair', 150, 1200),
      kind('Stool', 25, 160),
      kind('Bedside Table', 45, 260),
      kind('Bench', 70, 480),
      kind('Coat Stand', 30, 150),
      kind('Shoe Rack', 25, 120),
    ],
  },
  lighting: {
    materials: ['Brass', 'Linen', 'Paper', 'Opal Glass', 'Aluminium', 'Ceramic'],
    care: ['Dust with a soft brush.', 'Takes any E27 bulb up to 40 W.', 'Three metres of fabric cable.'],
    kinds: [
      kind('Desk Lamp', 25, 220),
      kind('Floor Lamp', 60, 480),
      kind('Pendant Light', 30, 350),
      kind('Wall Light', 25, 190),
      kind('Lantern', 15, 90),
      kind('Reading Light', 12, 80),
      kind('Night Light', 8, 40),
    ],
  },
  garden: {
    materials: ['Terracotta', 'Galvanised Steel', 'Cedar', 'Ash', 'Carbon Steel', 'Hemp'],
    care: ['Keep dry in winter.', 'Rinse off the soil before winter.', 'Left outside, it only gets better looking.'],
    kinds: [
      kind('Watering Can', 12, 70),
      kind('Plant Pot', 4, 60),
      kind('Pruning Shears', 14, 85),
      kind('Spade', 22, 95),
      kind('Hand Trowel', 7, 30),
      kind('Bird Feeder', 9, 55),
      kind('Compost Bin', 30, 160),
      kind('Hose Reel', 25, 140),
      kind('Garden Fork', 22, 90),
    ],
  },
  outdoor: {
    materials: ['Ripstop Nylon', 'Merino', 'Titanium', 'Recycled Polyester', 'Waxed Canvas', 'Aluminium'],
    care: ['Air it before packing it away.', 'Wipe clean with a damp cloth.', 'Weighs less than it looks.'],
    kinds: [
      kind('Tent', 110, 900),
      kind('Sleeping Bag', 60, 520),
      kind('Backpack', 45, 320),
      kind('Camping Stove', 25, 160),
      kind('Water Bottle', 9, 45),
      kind('Head Torch', 15, 110),
      kind('Hiking Poles', 25, 150),
      kind('Dry Bag', 10, 60),
      kind('Camp Chair', 20, 140),
    ],
  },
  sports: {
    materials: ['Carbon', 'Cork', 'Natural Rubber', 'Leather', 'Maple', 'Aluminium'],
    care: ['Wipe dry after use.', 'Needs no care worth mentioning.', 'Comes with a bag.'],
    kinds: [
      kind('Yoga Mat', 15, 120),
      kind('Kettlebell', 18, 110),
      kind('Football', 12, 90),
      kind('Tennis Racket', 35, 260),
      kind('Skateboard', 40, 220),
      kind('Cycling Helmet', 30, 240),
      kind('Skipping Rope', 6, 40),
      kind('Table Tennis Bat', 12, 130),
    ],
  },
  clothing: {
    materials: ['Organic Cotton', 'Linen', 'Lambswool', 'Merino', 'Corduroy', 'Denim', 'Flannel'],
    care: ['Machine wash cold.', 'Wash by hand and dry flat.', 'Gets softer with every wash.'],
    kinds: [
      kind('Shirt', 25, 130),
      kind('Jumper', 35, 220),
      kind('Jacket', 60, 420),
      kind('Trousers', 35, 180),
      kind('Scarf', 15, 110),
      kind('Beanie', 10, 55),
      kind('Socks', 5, 25),
      kind('Dressing Gown', 40, 160),
      kind('T-Shirt', 12, 60),
    ],
  },
  shoes: {
    materials: ['Leather', 'Suede', 'Canvas', 'Wool Felt', 'Recycled Mesh'],
    care: ['Brush off when dry.', 'Wax before the first rain.', 'Soles can be replaced.'],
    kinds: [
      kind('Trainers', 45, 220),
      kind('Boots', 70, 380),
      kind('Sandals', 25, 140),
      kind('Slippers', 15, 80),
      kind('Loafers', 50, 260),
      kind('Running Shoes', 60, 240),
    ],
  },
  electronics: {
    materials: ['Aluminium', 'Brushed Steel', 'Fabric', 'Walnut', 'Recycled Plastic'],
    care: ['Charges by USB-C.', 'The battery can be replaced with a screwdriver.', 'Two metres of cable included.'],
    kinds: [
      kind('Headphones', 30, 450),
      kind('Bluetooth Speaker', 25, 380),
      kind('Mechanical Keyboard', 60, 280),
      kind('Wireless Mouse', 15, 130),
      kind('Alarm Clock', 18, 90),
      kind('Power Bank', 15, 120),
      kind('Webcam', 30, 220),
      kind('Charging Dock', 18, 110),
      kind('E-Reader', 90, 350),
    ],
  },
  tools: {
    materials: ['Forged Steel', 'Chrome Vanadium', 'Hickory', 'Ash', 'Carbon Steel'],
    care: ['Wipe with an oily cloth now and then.', 'Keep dry when not in use.', 'Comes with a canvas roll.'],
    kinds: [
      kind('Claw Hammer', 12, 60),
      kind('Screwdriver Set', 10, 90),
      kind('Hand Saw', 14, 85),
      kind('Spirit Level', 9, 70),
      kind('Socket Set', 25, 240),
      kind('Block Plane', 30, 210),
      kind('Chisel', 8, 75),
      kind('Tool Chest', 45, 380),
    ],
  },
  stationery: {
    materials: ['Brass', 'Recycled Paper', 'Linen', 'Leather', 'Cedar', 'Steel'],
    care: ['Refills are sold one by one.', 'Keep out of the sun.', 'Needs no care worth mentioning.'],
    kinds: [
      kind('Notebook', 4, 35),
      kind('Fountain Pen', 18, 260),
      kind('Pencil Case', 6, 40),
      kind('Desk Organiser', 12, 80),
      kind('Letter Opener', 7, 45),
      kind('Weekly Planner', 8, 35),
      kind('Ruler', 3, 25),
    ],
  },
  toys: {
    materials: ['Beech', 'Maple', 'Organic Cotton', 'Felt', 'Recycled Plastic', 'Tin'],
    care: ['For children from three years.', 'Safe to chew on.', 'Wipe clean with a damp cloth.'],
    kinds: [
      kind('Train Set', 25, 180),
      kind('Building Blocks', 15, 90),
      kind('Puzzle', 8, 50),
      kind('Kite', 12, 75),
      kind('Teddy Bear', 14, 80),
      kind('Marble Run', 25, 140),
      kind('Spinning Top', 4, 25),
      kind('Dolls House', 60, 320),
    ],
  },
}

export const BRANDS: readonly string[] = [
  'Aldermoor',
  'Bexholm',
  'Brindlewood',
  'Calder & Finch',
  'Dunmere',
  'Eastrow',
  'Fernhollow',
  'Greyfriar',
  'Harrowgate',
  'Ivarsson',
  'Juniper Row',
  'Kestrel',
  'Lindqvist',
  'Marlowe',
  'Northwick',
  'Ottershaw',
  'Pemberly',
  'Quillon',
  'Rookhope',
  'Saltmarsh',
  'Thornbury',
  'Umberside',
  'Vanterpool',
  'Wexcombe',
]

export const ADJECTIVES: readonly string[] = [
  'Classic',
  'Compact',
  'Everyday',
  'Folding',
  'Handmade',
  'Heavy-duty',
  'Lightweight',
  'Modern',
  'Portable',
  'Rustic',
  'Slim',
  'Sturdy',
  'Traditional',
  'Vintage',
  'Weatherproof',
]

export const COLOURS: readonly string[] = [
  'black',
  'cream',
  'charcoal',
  'forest green',
  'indigo',
  'mustard',
  'natural',
  'navy',
  'rust',
  'sage',
  'slate',
  'terracotta',
  'white',
]

export const USES: readonly string[] = [
  'made for daily use',
  'sized for small flats',
  'built to be repaired',
  'at home in a workshop',
  'easy to carry',
  'good for a first set',
  'meant to be handed down',
  'made in small batches',
  'as good on weekends as on weekdays',
  'chosen by people who do this for a living',
]

export const PROMISES: readonly string[] = [
  'Every joint and seam is checked by hand.',
  'Spare parts are kept in stock for ten years.',
  'Packed without plastic.',
  'Guaranteed for five years.',
  'Tested for a winter before we sold the first one.',
  'Made from certified and traceable material.',
  'Designed so that nothing has to be glued.',
  'Returned free of charge within sixty days.',
]
