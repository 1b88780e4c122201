import type { Backend } from './contract.ts';

/** What a method of a backend belongs to where the time of a step is told in parts. */
export type MethodGroup = (typeof methodGroups)[Method];

type Method = Exclude<keyof Backend, 'name' | 'description' | 'hardware' | 'keepsDoubleScales'>;

/** Every method of the contract; `memory` are those that compute nothing, the others are kernels. */
const methodGroups = {
	allocate: 'memory',
	borrow: 'memory',
	free: 'memory',
	upload: 'memory',
	download: 'memory',
	startDownload: 'memory',
	keepOnHost: 'memory',
	memory: 'memory',
	waitedSeconds: 'memory',
	close: 'memory',
	activationType: 'memory',
	linearForward: 'linear layers, forward',
	matmulNT: 'linear layers, forward',
	loraForward: 'linear layers, forward',
	addBias: 'linear layers, forward',
	linearBackward: 'linear layers, backward',
	matmulNN: 'linear layers, backward',
	matmulTN: 'linear layers, backward',
	loraBackward: 'linear layers, backward',
	biasBackward: 'linear layers, backward',
	attention: 'attention',
	attentionBackward: 'attention',
	rope: 'norms, positions, activations',
	rmsNorm: 'norms, positions, activations',
	rmsNormBackward: 'norms, positions, activations',
	layerNorm: 'norms, positions, activations',
	layerNormBackward: 'norms, positions, activations',
	swiglu: 'norms, positions, activations',
	swigluBackward: 'norms, positions, activations',
	activation: 'norms, positions, activations',
	activationBackward: 'norms, positions, activations',
	gatherRows: 'embeddings, pooling, loss',
	scatterAddRows: 'embeddings, pooling, loss',
	poolRows: 'embeddings, pooling, loss',
	poolRowsBackward: 'embeddings, pooling, loss',
	scaleRows: 'embeddings, pooling, loss',
	linearCrossEntropy: 'embeddings, pooling, loss',
	linearCrossEntropyBackward: 'embeddings, pooling, loss',
	focalLoss: 'embeddings, pooling, loss',
	focalOfNegLogP: 'embeddings, pooling, loss',
	fill: 'element-wise, optimiser',
	copy: 'element-wise, optimiser',
	add: 'element-wise, optimiser',
	addScaled: 'element-wise, optimiser',
	scale: 'element-wise, optimiser',
	dropout: 'element-wise, optimiser',
	dequantize: 'element-wise, optimiser',
	quantizeTable4: 'element-wise, optimiser',
	table4Errors: 'element-wise, optimiser',
	sumOfSquares: 'element-wise, optimiser',
	adamW: 'element-wise, optimiser',
	adamW8bit: 'element-wise, optimiser',
} as const satisfies Record<Method, string>;

/** Every method of the contract that computes. */
export const kernelNames = (Object.keys(methodGroups) as Method[]).filter(
	(name) => methodGroups[name] !== 'memory',
);

/** The groups of kernels, in the order of the table. */
export const kernelGroups: readonly Exclude<MethodGroup, 'memory'>[] = [
	...new Set(Object.values(methodGroups).filter((group) => group !== 'memory')),
];

/**
 * The group of a method by its name.
 * @throws RangeError for a name that the contract has not: nobody's time may be put down as somebody else's
 */
export function methodGroup(method: string): MethodGroup {
	if (!Object.hasOwn(methodGroups, method)) throw new RangeError(`no method of a backend: ${method}`);
	return methodGroups[method as Method];
}

/** Whether a method of the contract computes. */
export function isKernel(method: string): boolean {
	return methodGroup(method) !== 'memory';
}
