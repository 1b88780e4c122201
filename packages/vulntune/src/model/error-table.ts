import {
	addErrors,
	describeErrors,
	type ErrorSums,
	noErrors,
	type QuantizationError,
} from '@vulntune/engine';

/** What became of the matrices of one kind, or of all. */
export interface MatrixErrors extends QuantizationError {
	readonly matrices: number;
	readonly weights: number;
}

export interface ErrorTable {
	/** @param name of the tensor: `model.layers.3.self_attn.q_proj.weight` is of the kind `q_proj` */
	add(name: string, sums: ErrorSums): void;
	byKind(): Record<string, MatrixErrors>;
	/** Of all matrices, at least one. */
	total(): MatrixErrors;
}

/** Adds up errors by kind of matrix. */
export function createErrorTable(): ErrorTable {
	const kinds = new Map<string, { matrices: number; sums: ErrorSums }>();
	return {
		add(name, sums) {
			const kind = name.split('.').at(-2) ?? name;
			const known = kinds.get(kind) ?? { matrices: 0, sums: noErrors };
			kinds.set(kind, { matrices: known.matrices + 1, sums: addErrors(known.sums, sums) });
		},
		byKind: () =>
			Object.fromEntries([...kinds].map(([kind, { matrices, sums }]) => [kind, describe(matrices, sums)])),
		total() {
			const all = [...kinds.values()];
			const matrices = all.reduce((count, kind) => count + kind.matrices, 0);
			return describe(
				matrices,
				all.reduce((sum, { sums }) => addErrors(sum, sums), noErrors),
			);
		},
	};
}

function describe(matrices: number, sums: ErrorSums): MatrixErrors {
	return { matrices, weights: sums.elements, ...describeErrors(sums) };
}
