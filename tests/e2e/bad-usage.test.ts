import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'vitest';
import { vulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { expectRefusal, type Refusal } from './refusal.ts';

const project = createProject();

function configFile(name: string, text: string): string {
	writeFileSync(project.inside(name), text);
	return name;
}

const fewLines = 'model: model\ndata: { path: data }\nmethod: { type: lora }\n';

const nextToken = [
	...['train', 'config.yaml', '--objective', 'nextToken'],
	...['--nextToken.positive', 'YES', '--nextToken.negative', 'NO'],
];

const cases: Record<string, Refusal> = {
	'an unknown key, with its line and the nearest name': {
		argv: ['train', configFile('key.yaml', `${fewLines}training:\n  epoch: 3\n`)],
		code: 'CONFIG_INVALID',
		says: ['key.yaml:5: training.epoch', 'did you mean training.epochs?'],
	},
	'several faults at once': {
		argv: [
			'train',
			configFile('faults.yaml', `${fewLines}trianing: {}\nloss: { gamma: -1 }\n`),
			'--training.epochs',
			'0',
		],
		code: 'CONFIG_INVALID',
		says: [
			'3 faults',
			'faults.yaml:4: ',
			'did you mean training',
			'faults.yaml:5: loss.gamma',
			'--training.epochs: ',
		],
	},
	'broken YAML': {
		argv: ['train', configFile('broken.yaml', 'model: model\ndata: { path: data\nmethod: {}\n')],
		code: 'CONFIG_YAML',
		says: [/broken\.yaml:[23]/],
	},
	'a config that is not there': {
		argv: ['train', 'absent.yaml'],
		code: 'CONFIG_NOT_FOUND',
		says: ['absent.yaml: ', 'Give the path of a YAML file'],
	},
	'an unknown command': { argv: ['trian'], code: 'USAGE', says: ['trian', 'Did you mean train?'] },
	'an unknown option': {
		argv: ['train', 'config.yaml', '--training.epoch', '3'],
		code: 'USAGE',
		says: ['--training.epoch', 'Did you mean --training.epochs?'],
	},
	'a method that there is not': {
		argv: ['train', 'config.yaml', '--method.type', 'prompt', '--output', 'out'],
		code: 'CONFIG_INVALID',
		says: ['--method.type: expected one of', 'prefix'],
	},
	'an instruction set that is not there': {
		argv: ['train', 'config.yaml', '--backend', 'cpu', '--backend.isa', 'neon', '--output', 'out'],
		code: 'CONFIG_INVALID',
		says: ['--backend.isa: expected one of'],
	},
	'another name of a backend': {
		argv: ['train', 'config.yaml', '--backend', 'gpu', '--output', 'out'],
		code: 'CONFIG_INVALID',
		says: ['did you mean cuda?'],
	},
	'a base that does not go with the method': {
		argv: ['train', 'config.yaml', '--method.type', 'qlora', '--method.base', 'fp32', '--output', 'out'],
		code: 'CONFIG_INVALID',
		says: ['--method.base: expected one of nf4'],
	},
	'an answer that begins with the other': {
		argv: [...nextToken, '--nextToken.negative', 'YES, it is', '--output', 'out'],
		code: 'ANSWER_TOKENS',
		says: ['nextToken: ', 'Choose answers of which neither begins with the other.'],
	},
	'a sequence too short for the question': {
		argv: [...nextToken, '--sequence.length', '8', '--output', 'out'],
		code: 'SEQUENCE_TOO_SHORT',
		says: ['sequence.length: ', 'Use longer sequences'],
	},
	'an output that is a file': {
		argv: ['train', 'config.yaml', '--output', 'config.yaml'],
		code: 'OUTPUT_NOT_FOLDER',
		says: ['config.yaml: ', 'Choose another --output.'],
	},
	'an evaluation of a folder without a run': {
		argv: ['evaluate', 'data'],
		code: 'RUN_NOT_FOUND',
		says: ['data: ', 'Give the output folder of vulntune train'],
	},
	'predictions that are not there': {
		argv: ['evaluate', '--predictions', 'absent.jsonl'],
		code: 'PREDICTIONS_UNREADABLE',
		says: ['absent.jsonl'],
	},
	'predictions with a wrong line': {
		argv: [
			'evaluate',
			'--predictions',
			configFile(
				'wrong.jsonl',
				'{"id":1,"label":1,"probability":0.5}\n{"id":2,"label":2,"probability":0.5}\n',
			),
		],
		code: 'PREDICTIONS_INVALID',
		says: ['wrong.jsonl:2: ', 'expected 0 or 1'],
	},
};

describe('refuses', () => {
	mkdirSync(path.join(project.root, 'elsewhere'));
	it.each(Object.entries(cases))('%s', async (_name, refusal) => expectRefusal(project, refusal));
	it('several faults in a process of its own', async () =>
		expectRefusal(project, cases['several faults at once']!, vulntune));
});
