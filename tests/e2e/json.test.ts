import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configSchema } from '../../packages/vulntune/src/config/schema.ts';
import { vulntune } from './command-line.ts';
import { createProject } from './project.ts';

const { root: cwd, inside } = createProject({ train: 4, valid: 4, test: 4 });

/** All of stdout as JSON; everything else is on stderr. */
async function json(...argv: string[]): Promise<unknown> {
	const { code, stdout, stderr } = await vulntune([...argv, '--json'], { cwd });
	expect(code, stderr).toBe(0);
	expect(stdout).toMatch(/^[{[]/);
	return JSON.parse(stdout);
}

describe('--json', () => {
	beforeAll(async () => {
		const argv = ['train', 'config.yaml', '--training.epochs', '1', '--output', 'run'];
		const result = await json(...argv);
		expect(result).toMatchObject({ status: 'finished', output: inside('run'), bestEpoch: 1 });
	});

	it('is pure for doctor', async () => {
		expect(await json('doctor')).toMatchObject({
			backend: expect.stringMatching(/^(cpu|wasm|reference)$/),
			threads: expect.any(Number),
			memoryBytes: expect.any(Number),
			gpus: expect.any(Array),
		});
	});

	it('is pure for a dry run', async () => {
		expect(await json('train', 'config.yaml', '--dry-run')).toMatchObject({
			model: { source: 'folder', layers: 2, hiddenSize: 32 },
			data: { rows: { train: 4, valid: 4, test: 4 } },
		});
	});

	it('is pure for evaluate', async () => {
		expect(await json('evaluate', 'run')).toMatchObject({ split: 'test', predictions: { length: 4 } });
		expect(await json('evaluate', '--predictions', 'run/predictions.test.jsonl')).toMatchObject({
			evaluation: { counts: { functions: 4 } },
		});
	});

	it('is pure for model info', async () => {
		expect(await json('model', 'info', 'model')).toBeTypeOf('object');
	});
});

describe('train --print-schema', () => {
	it('is a JSON Schema that names every option of a config', async () => {
		const schema = (await json('train', '--print-schema')) as JsonObject;
		expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
		expect(namesIn(schema)).toEqual(namesOf(configSchema.shape));
		const config = parse(readFileSync(inside('run/config.yaml'), 'utf8'));
		expect(Object.keys(schema.properties as object).toSorted()).toEqual(Object.keys(config).toSorted());
	});
});

type JsonObject = Readonly<Record<string, unknown>>;

/** Names of all options in a JSON Schema: `training.epochs`. */
function namesIn(schema: JsonObject, prefix = ''): string[] {
	return Object.entries((schema.properties ?? {}) as Record<string, JsonObject>)
		.flatMap(([name, option]) => {
			// a section may also be written as one word: `backend: cpu`
			const choices = [option, ...((option.anyOf ?? []) as JsonObject[])];
			const section = choices.find((choice) => choice.properties !== undefined);
			return section === undefined ? [`${prefix}${name}`] : namesIn(section, `${prefix}${name}.`);
		})
		.toSorted();
}

/** The same from the schema that checks configs. */
function namesOf(shape: Readonly<Record<string, object>>, prefix = ''): string[] {
	return Object.entries(shape)
		.flatMap(([name, option]) => {
			const inner = shapeOf(option);
			return inner === undefined ? [`${prefix}${name}`] : namesOf(inner, `${prefix}${name}.`);
		})
		.toSorted();
}

function shapeOf(option: object): Readonly<Record<string, object>> | undefined {
	if ('shape' in option) return option.shape as Record<string, object>;
	if ('def' in option && typeof option.def === 'object' && option.def !== null && 'innerType' in option.def) {
		return shapeOf(option.def.innerType as object);
	}
	return undefined;
}
