import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { datasetFolder, pretrainedFolder } from '../inputs.ts';
import { interleave } from '../interleave.ts';
import { benchRow } from '../row.ts';
import type { Section } from '../section.ts';

/** What steps of a run came to in one of its ways. */
export interface Measured {
	readonly tokensPerSecond: number;
	/** Share of the time in which gradients go from process to process. */
	readonly exchangeShare: number;
	/** Share of the time in which the first process waits for the others, and for messages. */
	readonly waitingShare: number;
}

const child = path.join(import.meta.dirname, 'child.ts');
const steps = 2;
const packsPerStep = 4;
const rows = {
	speed: 'processes-135m-two-of-one-thread',
	exchange: 'processes-135m-exchange-share',
	waiting: 'processes-135m-waiting-share',
} as const;

/** LoRA steps of SmolLM2-135M in two processes of one thread, beside one process of two threads. */
export const processesSection: Section = {
	optional: true,
	rowNames: Object.values(rows),
	async run({ options, log }) {
		const [model, dataset] = [pretrainedFolder(), datasetFolder()];
		const launcher = ['mpirun.openmpi', 'mpirun.mpich', 'mpirun'].find(
			(program) => spawnSync(program, ['--version']).status === 0,
		);
		if (model === undefined || dataset === undefined || launcher === undefined) {
			log('processes-135m: skipped, there is no pretrained model, dataset or mpirun');
			return { rows: [] };
		}
		const all: Measured[] = [];
		const measure = (words: readonly string[], threads: number) => () => {
			const measured = run([...words], [model, dataset], threads);
			if (words.length > 0) all.push(measured);
			return Promise.resolve(measured.tokensPerSecond);
		};
		const mpirun = launcher.endsWith('mpich')
			? [launcher, '-n', '2']
			: [launcher, '--bind-to', 'none', '-n', '2'];
		const cases = [
			{ name: 'two', measure: measure(mpirun, 1) },
			{ name: 'one', measure: measure([], 2) },
		];
		const medians = await interleave(cases, options.rounds, (round) =>
			log(`processes-135m: round ${round} of ${options.rounds}`),
		);
		const mean = (share: 'exchangeShare' | 'waitingShare') =>
			all.reduce((sum, measured) => sum + measured[share], 0) / all.length;
		return {
			rows: [
				benchRow({
					name: rows.speed,
					value: medians.get('two')!,
					unit: 'tokens/s',
					peer: { name: 'one process of two threads', value: medians.get('one')! },
				}),
				benchRow({ name: rows.exchange, value: mean('exchangeShare'), unit: 'share' }),
				benchRow({ name: rows.waiting, value: mean('waitingShare'), unit: 'share' }),
			],
		};
	},
};

function run(launcher: readonly string[], folders: readonly string[], threads: number): Measured {
	const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-bench-'));
	try {
		const values = [path.join(scratch, 'run'), steps, packsPerStep, threads].map(String);
		const [program, ...words] = [...launcher, process.execPath, child, ...folders, ...values];
		const output = execFileSync(program!, words, {
			encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'inherit'],
			// containers have no other user
			env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
		});
		return JSON.parse(output.trim().split('\n').at(-1)!);
	} finally {
		rmSync(scratch, { recursive: true, force: true });
	}
}
