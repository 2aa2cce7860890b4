/**
 * Values as bytes: the public side of the codec. `encodeValue` and `decodeValue` make deep copies of structured data;
 * `isFlat` and `decodeFlat` read simple values straight from shared memory. The format is in tags.ts.
 */
export { encodeValue } from './value-encode.js'
export { checkValue, decodeValue } from './value-decode.js'
export { decodeFlat } from './flat.js'
export { compressValue } from './compressed.js'
export { isFlat } from './tags.js'
