import {
	blankMatrix,
	expectedTensors,
	headTensor,
	type ModelFolder,
	type QuantizedType,
	quantizedMatrixEntries,
	type TensorDescription,
	valueTypeOf,
} from '@vulntune/engine';

/** What a quantised model holds, known before anything is quantised. */
export interface QuantizePlan {
	/** In the order of the model. */
	readonly tensors: readonly TensorDescription[];
	/** Matrices that are quantised, with the tensors that store each. */
	readonly matrices: readonly PlannedMatrix[];
	/** Names of tensors that stay as they are. */
	readonly dense: readonly string[];
	/** Those of them that are not of the base. */
	readonly besideBase: readonly string[];
	/** What the quantised matrices take. */
	readonly quantizedBytes: number;
}

export interface PlannedMatrix {
	readonly name: string;
	readonly parts: readonly PlannedPart[];
}

export interface PlannedPart extends TensorDescription {
	readonly bytes: number;
}

/** Lays out the tensors of a model as they will be stored. */
export function planTensors(
	source: ModelFolder,
	{ type, doubleQuantization }: { readonly type: QuantizedType; readonly doubleQuantization: boolean },
): QuantizePlan {
	const { weights } = source;
	const ofShape = new Map<string, readonly PlannedPart[]>();
	const partsOf = (name: string): readonly PlannedPart[] => {
		const { dtype, shape } = weights.info(name)!;
		const key = `${dtype} ${shape.join(' ')}`;
		let parts = ofShape.get(key);
		if (parts === undefined) {
			const options = { doubleQuantization, valueType: valueTypeOf(dtype) };
			const blank = blankMatrix([shape[0]!, shape[1]!], type, options);
			parts = quantizedMatrixEntries('', blank).map(({ name, dtype, shape, data }) => {
				return { name, dtype, shape, bytes: (data as Uint8Array).byteLength };
			});
			ofShape.set(key, parts);
		}
		return parts.map((part) => ({ ...part, name: name + part.name }));
	};
	const tensors: TensorDescription[] = [];
	const matrices: PlannedMatrix[] = [];
	const dense: string[] = [];
	for (const { name, kind } of expectedTensors(source.config)) {
		if (kind === 'linear') {
			const parts = partsOf(name);
			matrices.push({ name, parts });
			tensors.push(...parts);
		} else {
			dense.push(name);
			tensors.push({ name, ...weights.info(name)! });
		}
	}
	const besideBase = floatsBesideBase(source);
	for (const name of besideBase) tensors.push({ name, ...weights.info(name)! });
	const quantizedBytes = matrices.flatMap(({ parts }) => parts).reduce((sum, { bytes }) => sum + bytes, 0);
	return { tensors, matrices, dense: [...dense, ...besideBase], besideBase, quantizedBytes };
}

/** Heads and other floating-point tensors that a checkpoint has besides its base: they stay as they are. */
function floatsBesideBase({ config, weights }: ModelFolder): readonly string[] {
	const ofBase = new Set([...expectedTensors(config), headTensor(config)].map((tensor) => tensor?.name));
	const isFloat = (name: string) => ['F64', 'F32', 'F16', 'BF16'].includes(weights.info(name)!.dtype);
	return weights.names.filter((name) => !ofBase.has(name) && isFloat(name));
}
