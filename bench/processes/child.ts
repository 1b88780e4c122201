/**
 * One of the processes whose step is measured: trains SmolLM2-135M for so many steps, with a clock on what it exchanges with the others.
 * The first prints a `Measured` as JSON. Arguments: base model, dataset, output, steps, packs a step, threads.
 */
import { resolveConfig, runTraining } from 'vulntune';
import type {
	Processes,
	VectorCommunicator,
} from '../../packages/vulntune/src/communication/communicator.ts';
import { runInProcesses } from '../../packages/vulntune/src/communication/open-channel.ts';
import type { Measured } from './two-processes.ts';

const [model, data, output, steps, accumulation, threads] = process.argv.slice(2);
const clock = { exchange: 0, waiting: 0 };

async function timed<Result>(part: keyof typeof clock, work: () => Promise<Result>): Promise<Result> {
	const start = performance.now();
	try {
		return await work();
	} finally {
		clock[part] += (performance.now() - start) / 1000;
	}
}

/** The same processes with a clock. All have said their losses before vectors go: what vectors take is no waiting. */
function withClock(processes: Processes): Processes {
	const gather: Processes['gather'] = (message) => timed('waiting', () => processes.gather(message));
	return {
		...processes,
		gather,
		async withVectors(backend): Promise<VectorCommunicator> {
			const vectors = await processes.withVectors(backend);
			return {
				...vectors,
				gather,
				collect: (vector) => timed('exchange', () => vectors.collect(vector)),
				spread: (vector) => timed('exchange', () => vectors.spread(vector)),
			};
		},
	};
}

const config = resolveConfig(
	{
		model: model!,
		data: { path: data! },
		method: { type: 'lora', base: 'bf16', rank: 8 },
		sequence: { length: 512, largeFunctions: 'truncate' },
		training: { accumulation: Number(accumulation), checkpointEverySteps: null },
		backend: { type: 'cpu', threads: Number(threads) },
		output: output!,
	},
	{ place: 'bench', folder: process.cwd() },
);

let done = 0;
let tokens = 0;
let start = 0;
const measured = await runInProcesses(async (processes): Promise<Measured> => {
	await runTraining(
		config,
		{ resume: false, overwrite: false },
		{
			emit(event) {
				if (event.type !== 'record' || event.record.type !== 'step') return;
				// the first step warms up
				if (done++ === 0) {
					start = performance.now();
					clock.exchange = 0;
					clock.waiting = 0;
				} else tokens += event.record.tokens;
			},
			interrupted: () => done > Number(steps),
		},
		withClock(processes),
	);
	const seconds = (performance.now() - start) / 1000;
	return {
		tokensPerSecond: tokens / seconds,
		exchangeShare: clock.exchange / seconds,
		waitingShare: clock.waiting / seconds,
	};
});
if (!('status' in measured)) process.stdout.write(`${JSON.stringify(measured)}\n`);
