import { cpSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createProject } from './project.ts';
import { expectRefusal } from './refusal.ts';
import { vulntuneHere } from './same-process.ts';

const project = createProject({ train: 4, valid: 4, test: 4 });

/** A copy of the model folder with a fault. */
function model(name: string, spoil: (folder: string) => void): string {
	cpSync(project.model, project.inside(name), { recursive: true });
	spoil(project.inside(name));
	return name;
}

function editConfig(fields: object): (folder: string) => void {
	return (folder) => {
		const file = path.join(folder, 'config.json');
		writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...fields }));
	};
}

const weights = 'model.safetensors';

const cases: [name: string, model: string, code: string, says: (string | RegExp)[]][] = [
	['that is not there', 'absent', 'MODEL_NOT_FOUND', ['absent: ', 'Give the path of a folder']],
	[
		'without a config.json',
		model('no-config', (folder) => rmSync(path.join(folder, 'config.json'))),
		'MODEL_CONFIG_MISSING',
		['no-config'],
	],
	[
		'whose config.json is no JSON',
		model('broken-config', (folder) => writeFileSync(path.join(folder, 'config.json'), '{"model_type": ')),
		'MODEL_CONFIG',
		['broken-config/config.json: '],
	],
	[
		'whose config.json has another width than the weights',
		model('width', editConfig({ hidden_size: 64, num_attention_heads: 8, num_key_value_heads: 4 })),
		'MODEL_WEIGHTS',
		['model.embed_tokens.weight', 'config.json'],
	],
	[
		'whose config.json has more blocks than the weights',
		model('blocks', editConfig({ num_hidden_layers: 3 })),
		'MODEL_WEIGHTS',
		['model.layers.2'],
	],
	[
		'of another family',
		model('family', editConfig({ model_type: 't5', architectures: ['T5Model'] })),
		'MODEL_TYPE',
		['"t5"'],
	],
	[
		'without a tokenizer',
		model('no-tokenizer', (folder) => rmSync(path.join(folder, 'tokenizer.json'))),
		'TOKENIZER_MISSING',
		['no-tokenizer: there is no tokenizer.json'],
	],
	[
		'whose tokenizer is damaged',
		model('damaged-tokenizer', (folder) => truncateSync(path.join(folder, 'tokenizer.json'), 500)),
		'TOKENIZER_FILE',
		['damaged-tokenizer/tokenizer.json'],
	],
	[
		'whose weights end early',
		model('truncated', (folder) => truncateSync(path.join(folder, weights), 20_000)),
		'SAFETENSORS_TRUNCATED',
		['truncated/model.safetensors: '],
	],
	[
		'whose weights end in the header',
		model('header', (folder) => truncateSync(path.join(folder, weights), 50)),
		'SAFETENSORS_TRUNCATED',
		['header/model.safetensors: '],
	],
	[
		'that has pickled weights only',
		model('pickle', (folder) =>
			renameSync(path.join(folder, weights), path.join(folder, 'pytorch_model.bin')),
		),
		'MODEL_PICKLE',
		['pytorch_model.bin', 'safetensors'],
	],
	[
		'that has no weights at all',
		model('weightless', (folder) => rmSync(path.join(folder, weights))),
		'MODEL_WEIGHTS',
		['weightless'],
	],
];

describe('refuses a model folder', () => {
	it.each(cases)('%s', async (_name, folder, code, says) => {
		const argv = ['train', 'config.yaml', '--model', folder, '--output', 'out'];
		await expectRefusal(project, { argv, code, says });
	});

	it('whose tokenizer makes of a function an id beyond the vocabulary of the weights', async () => {
		const folder = model('vocabulary', (copy) => {
			const file = path.join(copy, 'tokenizer.json');
			const tokenizer = JSON.parse(readFileSync(file, 'utf8'));
			const [end] = tokenizer.added_tokens;
			for (let id = Object.keys(tokenizer.model.vocab).length; id <= 304; id++) {
				const content = id < 304 ? `filler ${id}` : 'check';
				tokenizer.added_tokens.push({ ...end, id, content, special: false });
			}
			writeFileSync(file, JSON.stringify(tokenizer));
		});
		const argv = ['train', 'config.yaml', '--model', folder, '--output', 'out'];
		const says = ['function ', '"check" is token 304', 'embeddings for 0 to 303'];
		await expectRefusal(project, { argv, code: 'TOKENIZER_MODEL', says });
	});
});

describe('refuses', () => {
	beforeAll(async () => {
		const argv = ['train', 'config.yaml', '--training.epochs', '1', '--output', 'run'];
		expect((await vulntuneHere(argv, { cwd: project.root })).code).toBe(0);
	});

	it('an adapter that does not fit the method', async () => {
		const argv = ['train', 'config.yaml', '--method.from', 'run', '--method.rank', '3', '--output', 'out'];
		const says = ['--method.rank: expected 2, as the adapter in method.from has it', 'found 3'];
		await expectRefusal(project, { argv, code: 'CONFIG_INVALID', says });
	});

	it('an adapter that is not there', async () => {
		const argv = ['train', 'config.yaml', '--method.from', 'absent', '--output', 'out'];
		await expectRefusal(project, { argv, code: 'ADAPTER_MISSING', says: ['absent'] });
	});

	it('an output folder that holds a run', async () => {
		const argv = ['train', 'config.yaml', '--output', 'run'];
		const says = ['run: the folder holds a run already', '--resume', '--overwrite'];
		await expectRefusal(project, { argv, code: 'RUN_EXISTS', says });
	});

	it('to plan a run in an output that is no folder', async () => {
		const argv = ['train', 'config.yaml', '--output', 'config.yaml', '--dry-run'];
		await expectRefusal(project, { argv, code: 'OUTPUT_NOT_FOLDER', says: ['Choose another --output'] });
	});

	it('to resume a run with other settings', async () => {
		const argv = ['train', 'config.yaml', '--output', 'run', '--resume', '--training.learningRate', '0.02'];
		await expectRefusal(project, { argv, code: 'CHECKPOINT_OTHER_RUN', says: ['--overwrite'] });
	});

	it('to replace a run by one whose data is wrong', async () => {
		const argv = ['train', 'config.yaml', '--output', 'run', '--overwrite', '--data.path', 'absent'];
		await expectRefusal(project, { argv, code: 'DATASET_NOT_FOUND', says: ['absent: '] });
	});

	it('to evaluate a split that is not there', async () => {
		const argv = ['evaluate', 'run', '--data', 'model'];
		await expectRefusal(project, { argv, code: 'DATASET_NOT_FOUND', says: ['test.jsonl is missing'] });
	});

	it('to evaluate a run whose base model was moved', async () => {
		renameSync(project.model, project.inside('moved'));
		try {
			await expectRefusal(project, { argv: ['evaluate', 'run'], code: 'MODEL_NOT_FOUND', says: ['model: '] });
		} finally {
			renameSync(project.inside('moved'), project.model);
		}
	});
});
