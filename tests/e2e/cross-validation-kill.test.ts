import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startVulntune, vulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { checkpointedSteps, loggedSteps, resultsOf } from './run-results.ts';

const argv = (output: string) => ['cross-validate', 'config.yaml', '--folds', '2', '--output', output];

it('a cross-validation that is killed within a fold goes on to the same bytes, and computes no finished fold again', {
	timeout: 240_000,
}, async () => {
	const { root: cwd, inside } = createProject({ train: 24, valid: 6, test: 6 });
	const foldOf = (output: string, fold: number) => inside(`${output}/folds/1-${fold}/run`);
	const whole = await vulntune(argv('whole'), { cwd });
	expect(whole.code, whole.stderr).toBe(0);

	const killed = startVulntune(argv('killed'), { cwd });
	await killed.says('fold 2 of 2');
	// the fold has begun to learn, and each step saves it
	while (loggedSteps(foldOf('killed', 2)) === 0 && killed.child.exitCode === null) await sleep(2);
	killed.child.kill('SIGKILL');
	expect((await killed.ended).signal).toBe('SIGKILL');
	const finished = stampsOf(inside('killed/folds/1-1'));
	const steps = checkpointedSteps(foldOf('killed', 2));

	const resumed = await vulntune(argv('killed'), { cwd });
	expect(resumed.code, resumed.stderr).toBe(0);
	expect(stampsOf(inside('killed/folds/1-1'))).toEqual(finished);
	expect(resumed.stderr.includes('the run starts anew')).toBe(steps === 0);
	for (const fold of [1, 2])
		expect(resultsOf(foldOf('killed', fold))).toEqual(resultsOf(foldOf('whole', fold)));
	for (const name of ['cross-validation.json', 'predictions.oof.jsonl', 'comparison.json']) {
		const [own, expected] = ['killed', 'whole'].map((output) =>
			readFileSync(inside(`${output}/${name}`), 'utf8'),
		);
		expect(own!.replaceAll('killed', 'whole'), name).toBe(expected);
	}
	const left = readdirSync(inside('killed'), { recursive: true, encoding: 'utf8' });
	expect(left.filter((name) => name.includes('.partial'))).toEqual([]);
});

/** Which file each is and when it was last written, of all below a folder. */
function stampsOf(folder: string): Record<string, string> {
	const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
		entry.isFile(),
	);
	return Object.fromEntries(
		files.map(({ parentPath, name }) => {
			const file = path.join(parentPath, name);
			const { ino, mtimeNs } = statSync(file, { bigint: true });
			return [file, `${ino} ${mtimeNs}`];
		}),
	);
}
