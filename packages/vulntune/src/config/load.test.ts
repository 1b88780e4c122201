import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type ConfigContext, loadConfig } from './load.ts';
import { configOptions, configSections } from './options.ts';
import { configToYaml } from './yaml-text.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-config-'));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(path.join(folder, 'nested'));
mkdirSync(path.join(folder, 'owner/name'), { recursive: true });

const required = 'model: base\ndata: { path: rows }\nmethod: { type: qlora }\n';
const context: ConfigContext = {
	workingFolder: folder,
	homeFolder: '/someone',
	date: new Date(2026, 10, 2),
};

function load(text: string, overrides: ConfigContext['overrides'] = {}, name = 'config.yaml') {
	writeFileSync(path.join(folder, name), text);
	return loadConfig(name, { ...context, overrides });
}

function failure(text: string, overrides: ConfigContext['overrides'] = {}): VulntuneError {
	try {
		load(text, overrides);
	} catch (error) {
		expect(error).toBeInstanceOf(VulntuneError);
		expect(error).toMatchObject({ kind: 'input' });
		return error as VulntuneError;
	}
	throw new Error('the config was accepted');
}

/** A config with a value for every option, as a tree. */
const wholeTree: Record<string, unknown> = parse(stringify(load(required)));
const fullConfig = () => structuredClone(wholeTree);

describe('defaults', () => {
	it('are those of the product page', () => {
		expect(load(required)).toEqual({
			model: path.join(folder, 'base'),
			data: {
				path: path.join(folder, 'rows'),
				collapseWhitespace: true,
				onBadRow: 'error',
				projects: null,
				dropNearDuplicates: false,
				sample: null,
				sampleSeed: 1,
			},
			method: {
				type: 'qlora',
				prefixLength: 20,
				base: 'nf4',
				doubleQuantization: true,
				rank: 8,
				alpha: 32,
				dropout: 0.05,
				targets: 'all-linear',
				layersToTransform: null,
				bidirectionalLayers: 0,
				rsLora: false,
				stack: null,
				stackSimilarity: 0.9,
				from: null,
			},
			objective: 'class',
			nextToken: {
				prompt: '\nIs this function vulnerable? Answer YES or NO.\nAnswer:',
				positive: ' YES',
				negative: ' NO',
			},
			head: { pool: 'last', hidden: null, bias: false },
			sequence: {
				length: 512,
				packing: 'isolated',
				order: 'bestFit',
				maxFunctions: 200,
				largeFunctions: 'ignore',
				windowStride: null,
				windowCombination: 'mean',
				sharePrefixes: false,
			},
			loss: {
				type: 'focal',
				gamma: 1,
				alpha: null,
				gradient: 'full',
				reduction: 'sum',
				classWeights: null,
				pair: null,
				pairWeight: 1,
				statusWeights: null,
			},
			training: {
				epochs: 15,
				optimizer: 'adamw',
				learningRate: 1e-4,
				schedule: 'cosine',
				warmupSteps: 2,
				weightDecay: 0.05,
				accumulation: 16,
				sequencesPerPass: 1,
				clipNorm: 1,
				precision: 'bf16',
				seed: 1,
				earlyStopping: null,
				checkpointing: 'auto',
				checkpointEverySteps: 50,
			},
			backend: { type: 'auto', device: 0, kernels: 'auto', isa: 'auto', threads: 'auto' },
			output: path.join(folder, 'runs/2026-11-02-config'),
		});
	});

	it.each([
		['qlora', 'bf16', 'nf4'],
		['lora', 'bf16', 'bf16'],
		['lora', 'fp32', 'fp32'],
		['head', 'bf16', 'bf16'],
		['full', 'bf16', 'fp32'],
	])('give %s with precision %s the base %s', (type, precision, base) => {
		const config = load(
			`model: m\ndata: {path: d}\nmethod: {type: ${type}}\ntraining: {precision: ${precision}}`,
		);
		expect(config.method.base).toBe(base);
	});

	it('hold for a section that is empty in the file', () => {
		expect(load(`${required}training:\n  # epochs: 3\n`).training.epochs).toBe(15);
	});
});

describe('values', () => {
	it('are read from YAML, a bare word for backend being its type', () => {
		const config = load(
			`${required}backend: cpu\nloss: {alpha: 0.25, classWeights: [1, 3]}\nhead: {hidden: 64}`,
		);
		expect(config.backend).toEqual({ type: 'cpu', device: 0, kernels: 'auto', isa: 'auto', threads: 'auto' });
		expect(config.loss).toMatchObject({ alpha: 0.25, classWeights: [1, 3] });
		expect(config.head.hidden).toBe(64);
	});

	it('are overridden by the command line', () => {
		const config = load(`${required}backend: cpu\ntraining: {epochs: 7, seed: 5}`, {
			'training.epochs': '3',
			'training.learningRate': '3e-5',
			'data.collapseWhitespace': 'false',
			'training.clipNorm': 'null',
			'method.targets': 'q_proj,v_proj',
			'loss.classWeights': '[1, 3]',
			'loss.statusWeights': '{VULNERABLE: 3}',
			'backend.threads': '2',
			objective: 'nextToken',
			'nextToken.prompt': ' [x]: ',
			model: '123',
		});
		expect(config.training).toMatchObject({ epochs: 3, learningRate: 3e-5, seed: 5, clipNorm: null });
		expect(config.data.collapseWhitespace).toBe(false);
		expect(config.method.targets).toEqual(['q_proj', 'v_proj']);
		expect(config.loss).toMatchObject({ classWeights: [1, 3], statusWeights: { VULNERABLE: 3 } });
		expect(config.backend).toEqual({ type: 'cpu', device: 0, kernels: 'auto', isa: 'auto', threads: 2 });
		expect(config.nextToken.prompt).toBe(' [x]: ');
		expect(config.model).toBe(path.join(folder, '123'));
	});

	it('keep their meaning when the resolved config is loaded again', () => {
		const config = load(
			`${required}training: { learningRate: 2.5e-5 }\nmethod: { targets: [q_proj] }`
				.replace('method: { type: qlora }\n', '')
				.replace('{ targets', '{ type: qlora, targets'),
		);
		expect(load(configToYaml(config), {}, 'nested/config.yaml')).toEqual(config);
	});
});

describe('paths', () => {
	it('of a run folder make that folder the output, wherever it was made', () => {
		const text = `${required}output: /where/it/was\n`;
		const moved = path.join(folder, 'moved');
		mkdirSync(moved);
		expect(load(text, {}, 'moved/config.yaml').output).toBe('/where/it/was');
		writeFileSync(path.join(moved, 'environment.json'), '{}');
		expect(load(text, {}, 'moved/config.yaml').output).toBe(moved);
		expect(load(text, {}, 'moved/other.yaml').output).toBe('/where/it/was');
		expect(load(text, { output: 'o' }, 'moved/config.yaml').output).toBe(path.join(folder, 'o'));
	});

	it('are relative to the config file, output to the working folder, ~ is the home folder', () => {
		const text = 'model: ./base\ndata: {path: ../rows}\nmethod: {type: lora, from: ~/old}\noutput: out\n';
		const config = load(text, {}, 'nested/config.yaml');
		expect(config.model).toBe(path.join(folder, 'nested/base'));
		expect(config.data.path).toBe(path.join(folder, 'rows'));
		expect(config.method.from).toBe('/someone/old');
		expect(config.output).toBe(path.join(folder, 'out'));
	});

	it('from the command line are relative to the working folder', () => {
		const config = load(required, { 'data.path': 'rows', model: '~/m', output: 'o' }, 'nested/config.yaml');
		expect(config.data.path).toBe(path.join(folder, 'rows'));
		expect(config.model).toBe('/someone/m');
		expect(config.output).toBe(path.join(folder, 'o'));
	});

	it('stay hub names where no such folder exists', () => {
		const model = (name: string) => load(required.replace('model: base', `model: ${name}`)).model;
		expect(model('WizardLM/WizardCoder-Python-13B-V1.0')).toBe('WizardLM/WizardCoder-Python-13B-V1.0');
		expect(model('owner/name')).toBe(path.join(folder, 'owner/name'));
		expect(model('./owner/absent')).toBe(path.join(folder, 'owner/absent'));
	});
});

describe('faults', () => {
	const misspellings: [string, (name: string) => string][] = [
		['a letter doubled', (name) => name.slice(0, 2) + name.slice(1)],
		['the last letter lost', (name) => name.slice(0, -1)],
		['two letters swapped', (name) => name[1]! + name[0]! + name.slice(2)],
	];
	const paths = [
		...configOptions.map((option) => option.path),
		...configSections.filter(({ name }) => name !== '').map(({ name }) => [name]),
	];

	it.each(misspellings)(
		'name every key once misspelt (%s) with its line and the right name',
		(_, misspell) => {
			for (const [section, key] of paths) {
				const tree = fullConfig();
				const parent = key === undefined ? tree : (tree[section!] as Record<string, unknown>);
				const name = key ?? section!;
				const wrong = misspell(name);
				parent[wrong] = parent[name];
				delete parent[name];
				const text = stringify(tree);
				const line = text.split('\n').findIndex((content) => content.trimStart().startsWith(`${wrong}:`)) + 1;
				const prefix = key === undefined ? '' : `${section}.`;
				const { code, message } = failure(text);
				expect(code).toBe('CONFIG_INVALID');
				expect(message).toContain(
					`config.yaml:${line}: ${prefix}${wrong}: unknown option, did you mean ${prefix}${name}?`,
				);
			}
		},
	);

	it('give every option with a value of the wrong kind, with its line and what was expected', () => {
		for (const { name, path: optionPath } of configOptions) {
			const tree = fullConfig();
			const [section, key] = optionPath;
			const parent = key === undefined ? tree : (tree[section!] as Record<string, unknown>);
			parent[key ?? section!] = { nonsense: -1.5 };
			const text = stringify(tree);
			const isShorthand = name === 'loss.statusWeights';
			const { message } = failure(text);
			expect(message).toMatch(/config\.yaml:\d+: /);
			expect(message).toContain(`${name}: expected `);
			expect(message, name).toContain(isShorthand ? 'a section' : 'found {"nonsense":-1.5}');
		}
	});

	it('come all at once, in the order of the file', () => {
		const { message, code } = failure(
			[
				'data: { path: rows }',
				'methd: { type: lora }',
				'training:',
				'  epochs: three',
				'  learningRate: 0',
				'  schedule: cosin',
				'sequence: { length: 512, windowStride: 600 }',
				'loss: { alpha: [1, -2], classWeights: [1] }',
			].join('\n'),
		);
		expect(code).toBe('CONFIG_INVALID');
		expect(message.split('\n').map((line) => line.trim())).toEqual([
			'9 faults in the config',
			'config.yaml: model: required, expected a text that is not empty',
			'config.yaml: method.type: required, expected one of qlora, lora, prefix, full, head, ngram',
			'config.yaml:2: methd: unknown option, did you mean method?',
			'config.yaml:4: training.epochs: expected a whole number of at least 1, found "three"',
			'config.yaml:5: training.learningRate: expected a number above 0, found 0',
			'config.yaml:6: training.schedule: expected one of cosine, linear, constant, found "cosin" (did you mean cosine?)',
			'config.yaml:7: sequence.windowStride: expected less than sequence.length (512), so that windows leave no gap, found 600',
			'config.yaml:8: loss.alpha: expected a number of at least 0 and of at most 1, or a list of 2, each a number above 0, or null, found [1,-2]',
			'config.yaml:8: loss.classWeights: expected a list of 2, each a number above 0, or null, found [1]',
		]);
	});

	it.each([
		['method: {type: qlora, base: bf16}', 'method.base: expected one of nf4, fp4, int8'],
		['method: {type: lora, base: nf4}', 'method.base: expected fp32 or bf16 for lora, found nf4'],
		['method: {type: full, base: bf16}', 'method.base: expected fp32 for full, which holds the weights'],
		['method: {type: full, base: nf4}', 'found nf4 (or set method.type to qlora)'],
		['method: {type: head}\nobjective: nextToken', 'objective: expected class for method.type head'],
		[
			'method: {type: lora}\nsequence: {packing: leaky, sharePrefixes: true}',
			'sequence.sharePrefixes: expected false',
		],
		...['[3, 2]', '[2, 2]'].map((blocks): [string, string] => [
			`method: {type: lora, layersToTransform: ${blocks}}`,
			`method.layersToTransform: expected blocks in ascending order, each once, found ${blocks}`,
		]),
		...['objective: nextToken', 'sequence: {packing: leaky}', 'sequence: {sharePrefixes: true}'].map(
			(rest): [string, string] => [
				`method: {type: lora, bidirectionalLayers: 2}\n${rest}`,
				'method.bidirectionalLayers: expected 0',
			],
		),
		[
			'method: {type: head, bidirectionalLayers: 2}',
			'method.bidirectionalLayers: has no effect with method.type head',
		],
		['method: {type: prefix}\nsequence: {sharePrefixes: true}', 'sequence.sharePrefixes: expected false'],
		[
			'training: {accumulation: 2, sequencesPerPass: 3}',
			'training.sequencesPerPass: expected no more than training.accumulation (2)',
		],
		['method: {type: prefix}\nobjective: nextToken', 'objective: expected class for method.type prefix'],
		['method: {type: prefix, base: nf4}', 'method.base: expected fp32 or bf16 for prefix'],
		[
			'method: {type: lora}\nsequence: {packing: none}\nloss: {pair: rank}',
			'loss.pair: expected null where sequence.packing is none',
		],
		[
			'method: {type: lora}\nsequence: {largeFunctions: window}\nloss: {pair: rank}',
			'loss.pair: expected null where sequence.largeFunctions is window',
		],
		[
			'method: {type: head}\nloss: {pair: contrastive}',
			'loss.pair: expected rank or null for method.type head',
		],
		['method: {type: lora}\nnextToken: {negative: " YES"}', 'nextToken.negative: expected another answer'],
	])('between options are found: %s', (text, message) => {
		expect(failure(`model: m\ndata: {path: d}\n${text}`).message).toContain(message);
	});

	it('of the command line name the flag', () => {
		const { message, place } = failure(required, { 'training.epochs': 'many' });
		expect(place).toBe('--training.epochs');
		expect(message).toContain('expected a whole number of at least 1, found "many"');
	});

	it('point to the section where a known option stands in the wrong one', () => {
		expect(failure(`${required}learningRate: 1`).message).toContain('did you mean training.learningRate?');
	});

	it.each(['5', '[a, b]', '"text"'])('say that %s is no config', (text) => {
		expect(failure(text).message).toContain('expected sections and options');
	});

	it('list what an empty file lacks', () => {
		const { message } = failure('');
		for (const name of ['model', 'data.path', 'method.type']) expect(message).toContain(`${name}: required`);
	});

	it('do not let keys of the prototype through', () => {
		expect(failure(`${required}__proto__: {output: x}`).message).toContain('__proto__: unknown option');
		expect(failure(`${required}constructor: 1`).message).toContain('constructor: unknown option');
	});
});

describe('options without effect', () => {
	const notes: string[] = [];
	function notesOf(text: string, overrides: ConfigContext['overrides'] = {}): string[] {
		notes.length = 0;
		writeFileSync(path.join(folder, 'config.yaml'), `model: m\ndata: {path: d}\n${text}`);
		loadConfig('config.yaml', { ...context, overrides, note: (line) => notes.push(line) });
		return notes;
	}

	it.each([
		[
			'method: {type: head, rank: 4}',
			'method.rank: has no effect with method.type head (only with method.type qlora or lora)',
		],
		['method: {type: full, dropout: 0.2}', 'method.dropout: has no effect with method.type full'],
		['method: {type: full, targets: attention}', 'method.targets: has no effect with method.type full'],
		['method: {type: head, alpha: 8}', 'method.alpha: has no effect with method.type head'],
		['method: {type: head, rsLora: true}', 'method.rsLora: has no effect with method.type head'],
		['method: {type: full, from: runs/a}', 'method.from: has no effect with method.type full'],
		[
			'method: {type: ngram, base: nf4}',
			'method.base: has no effect with method.type ngram (only with method.type qlora or lora or prefix or full or head)',
		],
		[
			'method: {type: ngram}\nsequence: {packing: leaky}',
			'sequence.packing: has no effect with method.type ngram',
		],
		['method: {type: ngram}\ntraining: {epochs: 3}', 'training.epochs: has no effect with method.type ngram'],
		['method: {type: ngram}\nhead: {pool: mean}', 'head.pool: has no effect with method.type ngram'],
		[
			'method: {type: lora}\nloss: {type: crossEntropy, alpha: 0.3}',
			'loss.alpha: has no effect with loss.type crossEntropy (only with loss.type focal)',
		],
		[
			'method: {type: lora}\nloss: {type: crossEntropy, gamma: 2}',
			'loss.gamma: has no effect with loss.type crossEntropy',
		],
		[
			'method: {type: lora}\nloss: {type: crossEntropy, gradient: detached}',
			'loss.gradient: has no effect with loss.type crossEntropy',
		],
		[
			'method: {type: lora}\nnextToken: {prompt: "?"}',
			'nextToken.prompt: has no effect with objective class (only with objective nextToken)',
		],
		[
			'method: {type: lora}\nobjective: nextToken\nhead: {pool: max}',
			'head.pool: has no effect with objective nextToken',
		],
		[
			'method: {type: lora}\nsequence: {windowCombination: max}',
			'sequence.windowCombination: has no effect with sequence.largeFunctions ignore',
		],
		['method: {type: lora}\nloss: {pairWeight: 2}', 'loss.pairWeight: has no effect with loss.pair null'],
		[
			'method: {type: lora}\nobjective: nextToken\nloss: {pair: rank}',
			'loss.pair: has no effect with objective nextToken',
		],
		[
			'method: {type: lora}\nsequence: {windowStride: 9}',
			'sequence.windowStride: has no effect with sequence.largeFunctions ignore',
		],
		[
			'method: {type: lora}\nsequence: {packing: none, maxFunctions: 9}',
			'sequence.maxFunctions: has no effect with sequence.packing none',
		],
		[
			'method: {type: lora}\nsequence: {packing: none, order: arrival}',
			'sequence.order: has no effect with sequence.packing none',
		],
		[
			'method: {type: lora}\nbackend: {type: wasm, isa: avx2}',
			'backend.isa: has no effect with backend.type wasm',
		],
		[
			'method: {type: lora}\nbackend: {type: reference, threads: 2}',
			'backend.threads: has no effect with backend.type reference',
		],
	])('are refused where they ask for something: %s', (text, message) => {
		const error = failure(`model: m\ndata: {path: d}\n${text}`);
		expect(error.message).toContain(message);
		expect(error.place).toMatch(/^config\.yaml:\d$/);
	});

	it('are said to have none where they have their default', () => {
		expect(notesOf('method: {type: head, rank: 8, alpha: 32, targets: all-linear}')).toEqual([
			'no effect with method.type head: method.rank, method.alpha, method.targets',
		]);
		expect(notesOf('method: {type: qlora, base: int8, doubleQuantization: true}')).toEqual([
			'no effect with method.base int8: method.doubleQuantization',
		]);
	});

	it('are nothing to speak of where they ask for nothing', () => {
		const text =
			'method: {type: full, from: null, dropout: 0, rsLora: false}\nloss: {type: crossEntropy, gamma: 0}';
		expect(notesOf(text)).toEqual([]);
	});

	it('of a file are said to have none where a flag takes their meaning away, and are refused as flags', () => {
		const text = 'method: {type: lora, rank: 4}\nhead: {pool: mean}';
		expect(notesOf(text, { 'method.type': 'ngram' })).toEqual([
			'no effect with method.type ngram: method.rank, head.pool',
		]);
		const flags = { 'method.type': 'head', 'method.rank': '4' };
		expect(failure(required, flags)).toMatchObject({ place: '--method.rank' });
	});

	it("are none of the reader's doing in what a run wrote", () => {
		const text = required.replace('qlora', 'head, rank: 4');
		writeFileSync(path.join(folder, 'config.yaml'), text);
		expect(loadConfig('config.yaml', { ...context, isRecord: true }).method.rank).toBe(8);
	});

	it('make no difference: neither to the config nor to what a run folder keeps', () => {
		const plain = load(required, { 'method.type': 'head' });
		const text = required.replace('qlora }', 'qlora, rank: 4 }\nloss: { gamma: 1 }');
		const idle = load(text, { 'method.type': 'head' });
		expect(idle).toEqual(plain);
		const kept = configToYaml(idle);
		expect(kept).not.toMatch(/rank|nextToken:\n {2}prompt/);
		expect(kept).toContain('gamma: 1');
		expect(notesOf(kept.replace(/^(model|data):.*\n( .*\n)*/gm, ''))).toEqual([]);
	});
});

describe('broken YAML', () => {
	it.each([
		[`${required}training: { epochs: 3`, 4],
		[`${required}training:\n\tepochs: 3`, 5],
		[`${required}model: again`, 4],
		['model: "open\n', 2],
		['model: *nowhere', 1],
	])('has its line, column and what to do: %j', (text, line) => {
		const error = failure(text);
		expect(error.code).toBe('CONFIG_YAML');
		expect(error.message).toMatch(new RegExp(`config\\.yaml:${line}(:\\d+)?: broken YAML`));
	});

	it('includes aliases that multiply without end', () => {
		const levels = Array.from({ length: 9 }, (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n}, `.repeat(9)}]`);
		expect(failure(['l0: &l0 [x]', ...levels].join('\n')).code).toBe('CONFIG_YAML');
	});

	it('is told apart from a file that is not there', () => {
		expect(() => loadConfig('absent.yaml', context)).toThrow(
			expect.objectContaining({ code: 'CONFIG_NOT_FOUND', place: 'absent.yaml' }),
		);
	});
});

it('gives a config or an error for the user, whatever is changed in a file', () => {
	const text = configToYaml(load(required));
	const pieces = fc.constantFrom(
		':',
		'\n',
		'  ',
		'-',
		'[',
		'}',
		'"',
		'&a ',
		'*a',
		'!!map ',
		'? ',
		'|',
		'#',
		'\t',
		'\0',
		'<<: ',
	);
	const edits = fc.array(fc.tuple(fc.nat(), fc.nat(3), pieces), { minLength: 1, maxLength: 3 });
	fc.assert(
		fc.property(edits, (list) => {
			let changed = text;
			for (const [at, removed, piece] of list) {
				const position = at % changed.length;
				changed = changed.slice(0, position) + piece + changed.slice(position + removed);
			}
			try {
				load(changed);
			} catch (error) {
				expect(error).toBeInstanceOf(VulntuneError);
			}
		}),
		{ numRuns: 300, seed: 1 },
	);
});
