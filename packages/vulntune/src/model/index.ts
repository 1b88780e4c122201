export { type AdapterInfo, readAdapterInfo } from './adapter-info.ts';
export type { MatrixErrors } from './error-table.ts';
export { type ModelInfo, readModelInfo } from './model-info.ts';
export { type QuantizeOptions, type QuantizeReport, quantizeModel } from './quantize-model.ts';
