export * from './backends/contract.ts';
export { createCpuBackend } from './backends/cpu/cpu.ts';
export { type CpuFeatures, cpuFeatures } from './backends/cpu/features.ts';
export type { KernelBackendOptions } from './backends/cpu/kernel-backend.ts';
export { createPeakMeter, type PeakMeter, type PeakSample } from './backends/cpu/peak.ts';
export { type CardSearch, capabilityText, type FoundCard, findCards } from './backends/cuda/card.ts';
export { createCudaBackend } from './backends/cuda/cuda.ts';
export { createDryBackend, createDryCardBackend, type DryCard } from './backends/dry-backend.ts';
export { addErrors, errorSums, noErrors } from './backends/error-sums.ts';
export { IGNORED_TARGET } from './backends/indices.ts';
export { isKernel, kernelGroups, type MethodGroup, methodGroup } from './backends/method-groups.ts';
export { type BackendProfile, type MethodTime, profileBackend } from './backends/profile.ts';
export { createReferenceBackend } from './backends/reference/reference-backend.ts';
export { type BackendChoice, createBackend, requireBackend } from './backends/select.ts';
export { elements, reshape, rowsOf, viewOf } from './backends/view.ts';
export { createWasmBackend } from './backends/wasm/wasm.ts';
export { type ErrorDetails, type ErrorKind, inputError, VulntuneError } from './errors.ts';
export { checkRange } from './exports/check-range.ts';
export {
	type GgufModel,
	type GgufModelType,
	ggufContext,
	writeGgufModel,
} from './exports/gguf/write-model.ts';
export {
	type OnnxClassifier,
	onnxOpset,
	writeOnnxClassifier,
} from './exports/onnx/write-classifier.ts';
export { fileError } from './formats/file-errors.ts';
export {
	makeFolder,
	placeOf,
	readSmallFile,
	writeFileAtomically,
	writeTextAtomically,
} from './formats/files.ts';
export {
	largestFloat16,
	roundToBfloat16,
	roundToFloat16,
	toFloat32,
	widenBfloat16,
	widenFloat16,
} from './formats/floats.ts';
export type { ExpectedTensor } from './formats/huggingface/expected-tensor.ts';
export type { QuantizationConfig } from './formats/huggingface/quantization-config.ts';
export type { RopeScaling } from './formats/huggingface/rope-scaling.ts';
export { openWeights } from './formats/huggingface/weights.ts';
export { canonicalJson, parseJsonObject } from './formats/json.ts';
export { copyModelFile, isGgufFile, type ModelFiles, modelFiles } from './formats/model-files.ts';
export { findNonFinite, type NonFinite } from './formats/non-finite.ts';
export { onnxDataFile } from './formats/onnx/writer.ts';
export type { SafetensorsDtype } from './formats/safetensors/dtypes.ts';
export type { SafetensorsTensor } from './formats/safetensors/header.ts';
export { openPlannedSafetensors, type PlannedFiles } from './formats/safetensors/planned-files.ts';
export { openSafetensors, type SafetensorsFile } from './formats/safetensors/reader.ts';
export { type ShardOptions, writeShardedSafetensors } from './formats/safetensors/sharded.ts';
export {
	type SafetensorsEntry,
	type TensorDescription,
	writeSafetensors,
} from './formats/safetensors/writer.ts';
export { checkTokenIds, checkTokenizer, loadTokenizer } from './formats/tokenizer/load-tokenizer.ts';
export type { DecodeOptions, EncodeOptions, Tokenizer } from './formats/tokenizer/tokenizer.ts';
export {
	type TokenizerTrainingOptions,
	type TrainedTokenizer,
	trainTokenizer,
} from './formats/tokenizer-training/train-tokenizer.ts';
export { writeTokenizer } from './formats/tokenizer-training/write-tokenizer.ts';
export { readFloat32, type WeightInfo, type WeightSource } from './formats/weight-source.ts';
export {
	attachLora,
	initializeLora,
	type LoraConfig,
	loraScale,
	loraSpecs,
	targetMatcher,
} from './layers/lora.ts';
export { adaptedModules } from './layers/lora-names.ts';
export { checkWeights } from './models/check-weights.ts';
export { dryModel, dryTrainableModel } from './models/dry-model.ts';
export { expectedTensors, headTensor, namedWeights } from './models/families.ts';
export {
	type FingerprintPart,
	fingerprintDifferences,
	fingerprintModel,
	fingerprintParts,
	hashAllWeights,
	type ModelFingerprint,
} from './models/fingerprint.ts';
export { type BaseType, type FrozenWeights, frozenWeights } from './models/frozen-weights.ts';
export {
	checkBaseType,
	createTrainableModel,
	type LoadedModel,
	type LoadOptions,
	loadModel,
	loadTrainableModel,
	type TrainableModel,
} from './models/load-model.ts';
export { type MergeOptions, mergedWeights } from './models/merged-weights.ts';
export type { ModelConfig } from './models/model.ts';
export {
	checkBidirectional,
	checkOutputMatrix,
	checkPrefix,
	type ForwardOptions,
	type Model,
	outputMatrixOf,
	type PackTensors,
} from './models/model.ts';
export { parseModelConfig } from './models/model-config.ts';
export { type ModelFolder, openModelFolder, readModelConfig } from './models/model-folder.ts';
export { type PeftAdapter, readPeftAdapter, writePeftAdapter } from './models/peft-adapter.ts';
export { type HostMatrix, writeMatrices } from './models/peft-files.ts';
export { type PeftPrefix, readPeftPrefix, writePeftPrefix } from './models/peft-prefix.ts';
export * from './ops/index.ts';
export { dynamicCodebook, unsignedDynamicCodebook } from './quantize/codebooks.ts';
export {
	type FourBitOptions,
	type FourBitType,
	type QuantizedMatrix4,
	quantizeFourBit,
	type ValueType,
	valueTypeOf,
} from './quantize/four-bit.ts';
export { type QuantizedMatrix8, quantizeInt8 } from './quantize/int8.ts';
export {
	blankMatrix,
	dequantizeMatrix,
	matrixCodebook,
	type QuantizedMatrix,
	quantizeMatrix,
} from './quantize/matrix.ts';
export { type QuantileBits, type QuantileReading, quantileCodebook } from './quantize/quantile-codebook.ts';
export { type QuantileMatrix, type QuantileType, quantizeQuantile } from './quantize/quantile-matrix.ts';
export {
	describeErrors,
	type QuantizationError,
	quantizationError,
} from './quantize/quantization-error.ts';
export { quantizeStored, type StoredMatrix } from './quantize/quantize-stored.ts';
export { quantizedMatrixEntries, readQuantizedMatrix } from './quantize/stored-matrix.ts';
export { isQuantizedType, type QuantizedType, quantizedTypes } from './quantize/types.ts';
export { normalQuantile } from './random/normal-quantile.ts';
export { philox } from './random/philox.ts';
export {
	dropoutKeeps,
	hashStream,
	normalArray,
	permutation,
	uniform,
	uniformArray,
} from './random/streams.ts';
export { Arena } from './tensor/arena.ts';
export { type Checkpointing, checkpoint, scoped } from './tensor/checkpoint.ts';
export { uploadIndices, uploadRanges, uploadSegments, uploadTargets } from './tensor/indices.ts';
export { createParameters, type ParameterSpec, type Parameters } from './tensor/parameters.ts';
export { Tape } from './tensor/tape.ts';
export {
	allocate,
	type Context,
	constant,
	release,
	type Tensor,
	upload,
	uploadOwned,
} from './tensor/tensor.ts';
