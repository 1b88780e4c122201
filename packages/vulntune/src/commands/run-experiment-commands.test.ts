import { expect, it } from 'vitest';
import { runStudy } from '../experiments/run-study.ts';
import { silent, standIn, studyFolder } from '../experiments/testing/study-folder.ts';
import { experimentCommands, type StartStudy } from './run-experiment-commands.ts';

const { inside, write } = studyFolder();
const grid = write('seeds.yaml', 'config: config.yaml\naxes: { training.seed: [1, 2, 3] }\n');

it('names the whole command that goes on, where it is interrupted', async () => {
	const start: StartStudy = (request) =>
		runStudy(request, { ...silent, interrupted: () => true }, standIn([]));
	const progress = { note: () => {}, update: () => {}, finish: () => {} };
	const overrides = { 'training.learningRate': '2e-3', 'loss.statusWeights': '{ FIXED: 2 }' };
	const study = experimentCommands(start).run(
		{ grid, output: inside('study'), overrides, jobs: 2, only: '1,2', log: 'mlflow', dryRun: false } as never,
		{ progress, interruption: () => new AbortController().signal },
	);
	await expect(study).rejects.toMatchObject({
		code: 'INTERRUPTED',
		remedy: expect.stringMatching(
			/ --output \S+ --training\.learningRate 2e-3 --loss\.statusWeights '\{ FIXED: 2 \}' --only 1,2 --log mlflow --jobs 2$/,
		),
	});
});
