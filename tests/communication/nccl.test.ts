/** Runs of several processes on the CUDA backend, which speak by NCCL: both behind stand-ins, the kernels emulated on the host. */

import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { ncclStandIn, prepareStandIn } from '../../packages/engine/src/backends/cuda/testing/stand-in.ts';
import { type Ended, startVulntune, vulntune } from '../e2e/command-line.ts';
import { createProject } from '../e2e/project.ts';
import { resultsOf } from '../e2e/run-results.ts';
import { equal, launchers, startTogether } from './launchers.ts';

const { missing } = await prepareStandIn();
const project = createProject({ train: 6, valid: 4, test: 4 });
const { root: cwd, inside } = project;
writeFileSync(
	project.config,
	readFileSync(project.config, 'utf8')
		.replace('largeFunctions', 'packing: none, largeFunctions')
		.replace(/backend: .*/, 'backend: cuda')
		.replace('epochs: 2', 'epochs: 1'),
);
// moments in 8 bits, so that not only floats go from card to card
const steps = ['--training.accumulation', '3', '--training.optimizer', 'adamw8bit'];
const train = (output: string, ...more: readonly string[]) => [
	...['train', 'config.yaml', '--output', output, ...steps],
	...more,
];
const cards = { VULNTUNE_STAND_IN_DEVICES: '2' };

/** A port that nothing listens on. */
function freePort(): Promise<number> {
	return new Promise((resolve) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address() as { port: number };
			server.close(() => resolve(port));
		});
	});
}

/** Two processes with the variables of torchrun, each with its own words. */
async function torchrun(
	argv: readonly string[],
	own: readonly (readonly string[])[] = [[], []],
	more: Readonly<Record<string, string>> = {},
): Promise<readonly Ended[]> {
	const MASTER_PORT = String(await freePort());
	return Promise.all(
		own.map((words, rank) => {
			const launch = {
				MASTER_ADDR: '127.0.0.1',
				MASTER_PORT,
				WORLD_SIZE: '2',
				RANK: String(rank),
				LOCAL_RANK: String(rank),
			};
			return startVulntune([...argv, ...words], { cwd, environment: { ...cards, ...launch, ...more } }).ended;
		}),
	);
}

describe.skipIf(missing !== undefined)('several processes on cards', () => {
	let whole: Record<string, string>;

	beforeAll(async () => {
		process.env.VULNTUNE_LIBNCCL = await ncclStandIn();
		const { code, stderr } = await vulntune(train('whole'), { cwd });
		expect(code, stderr).toBe(0);
		whole = resultsOf(inside('whole'));
	});

	it('give the bytes of one by torchrun, each on the card of its LOCAL_RANK', async () => {
		const [first, second] = await torchrun(train('torchrun'));
		expect(first!.code, first!.stderr).toBe(0);
		expect([second!.code, second!.stdout, second!.stderr]).toEqual([0, '', '']);
		expect(first!.stderr).toContain('2 processes share the run out, by NCCL 2.21.5');
		expect(resultsOf(inside('torchrun'))).toEqual(whole);
	});

	it('end together where one of them fails, and the first says why: beside the store of torchrun, which has MASTER_PORT', async () => {
		const port = await freePort();
		const store = createServer().listen(port);
		const variables = { MASTER_PORT: String(port), TORCHELASTIC_USE_AGENT_STORE: 'True' };
		try {
			const [first, second] = await torchrun(train('failing'), [[], ['--data.path', 'absent']], variables);
			expect([first!.code, second!.code, second!.stderr]).toEqual([2, 0, '']);
			expect(first!.stderr).toContain('process 1: there is no such folder');
		} finally {
			store.close();
		}
	});

	it.each([
		[
			'no NCCL',
			{ VULNTUNE_LIBNCCL: 'libnccl-that-is-not-there.so' },
			[],
			4,
			'NCCL, but it could not be loaded',
		],
		['no card for each', { VULNTUNE_STAND_IN_DEVICES: '1' }, [], 2, 'there is no card 1'],
		['a CPU', {}, ['--backend.type', 'reference'], 2, 'work together on cards alone'],
	] as const)('say what to do where there is %s', async (_, environment, words, code, message) => {
		const [first] = await torchrun(train('refused'), [words, words], environment);
		expect(first!.code, first!.stderr).toBe(code);
		expect(first!.stderr).toContain(message);
	});

	const launcher = launchers.find((one) => one.missing === undefined);
	it.skipIf(launcher === undefined)(
		'speak by MPI and NCCL under mpirun, without NCCL by MPI alone',
		async () => {
			for (const [output, file, by] of [
				['both', process.env.VULNTUNE_LIBNCCL!, 'NCCL 2.21.5'],
				['mpi-alone', 'libnccl-that-is-not-there.so', launcher!.name],
			] as const) {
				const environment = { ...cards, VULNTUNE_LIBNCCL: file };
				const { code, stderr } = await startTogether(launcher!, equal(2), train(output), { cwd, environment })
					.ended;
				expect(code, stderr).toBe(0);
				expect(stderr).toContain(`by ${by}`);
				expect(resultsOf(inside(output))).toEqual(whole);
			}
		},
	);
});
