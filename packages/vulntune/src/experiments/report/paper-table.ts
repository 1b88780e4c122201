/** A row of Table 1 of the paper (Shestov et al., IEEE Access 2025, and its QLoRA reproduction), as published. */
export interface PaperRow {
	readonly method: 'qlora' | 'lora';
	/** Whether functions of the patched files that the fix left alone are in the data. */
	readonly withP3: boolean;
	readonly length: number;
	/** Functions longer than a sequence: left out, or included. */
	readonly large: 'ignore' | 'include';
	readonly rocAuc: number;
	/** At the best threshold for the very labels that are scored. */
	readonly f1: number;
	readonly hardware: string;
	readonly hours: number | null;
}

export const paperTable: readonly PaperRow[] = [
	row('qlora', false, 512, 'ignore', 0.53, 0.65, 'T4', 8.2),
	row('qlora', false, 512, 'include', 0.56, 0.66, '2 × A100', 3.4),
	row('qlora', false, 256, 'ignore', 0.51, 0.63, 'T4', 2.9),
	row('qlora', true, 512, 'ignore', 0.68, 0.14, 'RTX 4080', 22.1),
	row('qlora', true, 512, 'include', 0.72, 0.17, '2 × A100', 20.4),
	row('qlora', true, 256, 'ignore', 0.7, 0.14, '2 × A100', 18.3),
	row('lora', false, 2048, 'include', 0.69, 0.71, '8 × V100', null),
	row('lora', true, 2048, 'include', 0.86, 0.27, '8 × V100', null),
];

function row(
	method: PaperRow['method'],
	withP3: boolean,
	length: number,
	large: PaperRow['large'],
	rocAuc: number,
	f1: number,
	hardware: string,
	hours: number | null,
): PaperRow {
	return { method, withP3, length, large, rocAuc, f1, hardware, hours };
}

/** Vulnerable functions of X1's test split, which is how its runs are known: no other dataset at hand has as many. */
const positivesOfX1 = 123;
/** Functions of X1's test split without P3. */
const functionsWithoutP3 = 252;

/** What a run has in common with a row of the paper. */
export interface PaperSetting {
	readonly method: string;
	readonly length: number;
	readonly largeFunctions: 'ignore' | 'truncate' | 'window';
	/** Of the test split. */
	readonly functions: number;
	readonly positives: number;
}

/** The row of the paper that a run may repeat, by what rows vary; undefined for any other run, and for other data. */
export function paperRowOf(setting: PaperSetting): PaperRow | undefined {
	const { method, length, largeFunctions, functions, positives } = setting;
	if (positives !== positivesOfX1) return undefined;
	const withP3 = functions > functionsWithoutP3;
	const large = largeFunctions === 'ignore' ? 'ignore' : 'include';
	return paperTable.find(
		(own) => own.method === method && own.withP3 === withP3 && own.length === length && own.large === large,
	);
}
