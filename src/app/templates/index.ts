// Door for pages made of templates. Needs the package eta.
export { templates, type TemplateOptions, type Templates } from './templates.ts'
