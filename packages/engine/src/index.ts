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
export type { SafetensorsDtype } from './formats/safetensors/dtypes.ts';
export type { SafetensorsTensor } from './formats/safetensors/header.ts';
export { openSafetensors, type SafetensorsFile } from './formats/safetensors/reader.ts';
export { type ShardOptions, writeShardedSafetensors } from './formats/safetensors/sharded.ts';
export { type SafetensorsEntry, writeSafetensors } from './formats/safetensors/writer.ts';
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
