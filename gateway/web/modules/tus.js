// Resumable uploads (tus 1.0) as tus-js-client does them, and nothing else of it.

export { Upload } from "tus-js-client";
