export { createReferenceBackend } from './backends/reference/reference-backend.ts';
export { type ErrorDetails, type ErrorKind, inputError, VulntuneError } from './errors.ts';
export { writeFileAtomically } from './formats/files.ts';
export {
	roundToBfloat16,
	roundToFloat16,
	toFloat32,
	widenBfloat16,
	widenFloat16,
} from './formats/floats.ts';
export { checkWeights, isFourBitWeight } from './formats/huggingface/checkWeights.ts';
export type { ExpectedTensor } from './formats/huggingface/expectedTensor.ts';
export type { LlamaConfig } from './formats/huggingface/llama.ts';
export { expectedTensors, type ModelConfig, parseModelConfig } from './formats/huggingface/modelConfig.ts';
export { type ModelFolder, openModelFolder, readModelConfig } from './formats/huggingface/modelFolder.ts';
export type { QuantizationConfig } from './formats/huggingface/quantizationConfig.ts';
export type { RopeScaling } from './formats/huggingface/ropeScaling.ts';
export { openWeights } from './formats/huggingface/weights.ts';
export type { SafetensorsDtype } from './formats/safetensors/dtypes.ts';
export type { SafetensorsTensor } from './formats/safetensors/header.ts';
export { openSafetensors, type SafetensorsFile } from './formats/safetensors/reader.ts';
export { type ShardOptions, writeShardedSafetensors } from './formats/safetensors/sharded.ts';
export { type SafetensorsEntry, writeSafetensors } from './formats/safetensors/writer.ts';
export { readFloat32, type WeightInfo, type WeightSource } from './formats/weightSource.ts';
export { normalQuantile } from './random/normalQuantile.ts';
export { philox } from './random/philox.ts';
export {
	dropoutKeeps,
	hashStream,
	normalArray,
	permutation,
	uniform,
	uniformArray,
} from './random/streams.ts';
