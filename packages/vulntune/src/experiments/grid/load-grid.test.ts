import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { studyFolder } from '../testing/study-folder.ts';
import { loadGrid } from './load-grid.ts';

const { root, inside, write } = studyFolder();
write(
	'lora.yaml',
	'model: base\ndata: { path: rows }\nmethod: { type: lora, rank: 8 }\nloss: { gamma: 2 }\n',
);

const load = (text: string, overrides = {}) =>
	loadGrid(write('grid.yaml', text), { overrides, workingFolder: root });
const names = (text: string) => load(text).cells.map(({ name }) => name);

describe('a grid', () => {
	it('is the product of its axes, without what is excluded, and the cells that are added', () => {
		const text = `config: lora.yaml
axes: { sequence.length: [256, 512], training.seed: [1, 2] }
exclude: [{ sequence.length: 256, training.seed: 2 }]
cells: [{ method.rank: 16 }, { name: plain, loss: { gamma: 0 } }]`;
		expect(names(text)).toEqual([
			...['length=256, seed=1', 'length=512, seed=1', 'length=512, seed=2'],
			...['rank=16', 'plain'],
		]);
		const { cells, columns, name } = load(text);
		expect(name).toBe('grid');
		expect(columns).toEqual(['sequence.length', 'training.seed', 'method.rank', 'loss.gamma']);
		expect(
			cells.map(({ config }) => [config.sequence.length, config.training.seed, config.method.rank]),
		).toEqual([
			...[256, 512, 512].map((length, i) => [length, i < 2 ? 1 : 2, 8]),
			...[
				[512, 1, 16],
				[512, 1, 8],
			],
		]);
		expect(cells[4]!.config.loss.gamma).toBe(0);
	});

	it('takes axes by section too', () => {
		expect(names('config: lora.yaml\naxes: { training: { seed: [1, 2] } }')).toEqual(['seed=1', 'seed=2']);
	});

	it('sets options in the cells that an override fits', () => {
		const { cells } = load(`config: lora.yaml
axes: { sequence.length: [256, 512] }
overrides: [{ when: { sequence.length: 512 }, set: { training.accumulation: 4 } }]`);
		expect(cells.map(({ config }) => config.training.accumulation)).toEqual([16, 4]);
		expect(cells.map(({ name }) => name)).toEqual(['length=256', 'length=512']);
	});

	it('without axes is its cells, or the config alone', () => {
		expect(names('config: lora.yaml\ncells: [{ method.rank: 4 }]')).toEqual(['rank=4']);
		expect(names('config: lora.yaml')).toEqual(['base']);
	});

	it('reads its paths from its own folder, those of the config from the config’s, flags from the working folder', () => {
		const text = 'config: lora.yaml\naxes: { data.path: [a/b, ./c] }';
		const { cells } = load(text, { model: 'there' });
		expect(cells.map(({ config }) => config.data.path)).toEqual([inside('a/b'), inside('c')]);
		expect(cells.map(({ name }) => name)).toEqual(['path=b', 'path=c']);
		expect(cells[0]!.config.model).toBe(inside('there'));
		expect(load('config: lora.yaml').cells[0]!.config.data.path).toBe(inside('rows'));
	});

	it('notes options that an axis leaves without effect, once', () => {
		const { notes } = load(
			'config: lora.yaml\naxes: { loss.type: [crossEntropy, focal], training.seed: [1, 2] }',
		);
		expect(notes).toEqual(['no effect with loss.type crossEntropy: loss.gamma']);
		const product = load('config: lora.yaml\naxes: { loss.type: [crossEntropy, focal], loss.gamma: [1, 2] }');
		expect(product.notes.filter((note) => !note.includes('one run'))).toEqual(notes);
	});

	it('gives a cell for other epochs', () => {
		const grid = load('config: lora.yaml\naxes: { method.rank: [4] }');
		const { name, config, settings } = grid.withEpochs(grid.cells[0]!, 3);
		expect([name, config.training.epochs, settings.get('training.epochs')]).toEqual([
			'rank=4, epochs=3',
			3,
			3,
		]);
	});
});

describe('cells that are one run', () => {
	const line = (cells: string) => `cells ${cells} are one run: nothing in which they differ changes a result`;

	it.each([
		['an option that is off', 'axes: { data.sampleSeed: [1, 2], training.seed: [1, 2] }', ['0, 2', '1, 3']],
		['what computes', 'cells: [{ backend.type: cpu }, { backend.type: reference }]', ['0, 1']],
		[
			'a default that is written',
			'cells: [{ method.rank: 8 }, { training.seed: 1 }, { training.seed: 2 }]',
			['0, 1'],
		],
		['n-grams’ base', 'cells: [{ method.type: ngram }, { method.type: ngram, model: other }]', ['0, 1']],
	])('are named: %s', (_, text, cells) => {
		const notes = load(`config: lora.yaml\n${text}`).notes.filter((note) => note.includes('one run'));
		expect(notes).toEqual(cells.map(line));
	});

	it.each([
		'axes: { data.path: [a, b] }',
		'axes: { model: [a, b] }',
		'axes: { training.epochs: [1, 2] }',
		'axes: { data.sample: [0.5], data.sampleSeed: [1, 2] }',
	])('are not those of %s', (text) => {
		expect(load(`config: lora.yaml\n${text}`).notes).toEqual([]);
	});
});

describe('a faulty grid', () => {
	it.each([
		[
			'axes: { sequence.lenght: [1] }',
			/grid\.yaml:2: sequence\.lenght: unknown option, did you mean sequence\.length\?/,
		],
		['axes: { epochs: [1] }', /grid\.yaml:2: epochs: unknown option, did you mean training\.epochs\?/],
		['axes: { output: [a] }', /output: each cell has a run folder of its own/],
		['axes: { backend.threads: [1, 2] }', /backend\.threads: changes no result/],
		['axes: { training.checkpointEverySteps: [1, 2] }', /changes no result/],
		['axes: { training.checkpointing: [true, false] }', /changes no result/],
		['axes: { data.projects: [null, a.json] }', /changes no result/],
		[
			'axes:\n  training.seed: 1',
			/grid\.yaml:3: training\.seed: expected a list of values, found 1: write \[1, …\], or set it in the config/,
		],
		['axes:\n  training.seed:', /grid\.yaml:3: training\.seed: expected a list of values, found nothing/],
		[
			'axes:\n  training: { seed: word }',
			/grid\.yaml:3: training\.seed: expected a list of values, found "word"/,
		],
		[
			'axes:\n  training.seed: []',
			/grid\.yaml:3: training\.seed: the list holds no value: give it some, or leave the axis out/,
		],
		['axes: { training.seed: [1, 1] }', /training\.seed: 1 stands there twice: leave one out/],
		[
			'axes:\n  training.seed:\n    - 1\n    - 2\n    - "1"',
			/grid\.yaml:6: training\.seed: "1" stands there twice/,
		],
		['axes: { method.targets: [[q, v], [q, v]] }', /method\.targets: \["q","v"\] stands there twice/],
		[
			'axes:\n  training.seed: [1]\n  training: { seed: [2] }',
			/grid\.yaml:4: training\.seed: stands there twice: leave one out/,
		],
		['axes: { training: 5 }', /training: a section of the config: write its options, as in training\.epochs/],
		[
			'search: { type: random }\naxes: { training.seed: { from: 1 } }',
			/training\.seed: expected a list of values, or a range \{ from: 1, to: 9 \}/,
		],
		[
			'axes: { training.seed: { from: 1, to: 3 } }',
			/a range has values for search\.type random or halving only/,
		],
		['axis: { training.seed: [1] }', /axis: unknown option, did you mean axes\?/],
		[
			'search: { type: random }\naxes: { training.learningRate: { from: 0, to: 1, scale: log } }',
			/above 0 on a log scale/,
		],
		['search: { type: random }\naxes: { training.learningRate: { from: 2, to: 1 } }', /from below to/],
		['search: { type: halving }\naxes: { training.epochs: [1, 2] }', /the rungs of search\.type halving/],
		[
			'search: { type: halving }\naxes: { method.type: [ngram, lora] }',
			/grid\.yaml:2: search\.type: halving is by epochs/,
		],
		['search: { samples: 3 }', /search\.samples: has no effect with search\.type grid/],
		[
			'axes: { training.seed: [1, 2] }\nexclude: [{ training.seed: 3 }]',
			/grid\.yaml:3: exclude\.0: no combination/,
		],
		[
			'axes: { training.seed: [1, 2] }\nexclude: [{ method.rank: 8 }]',
			/grid\.yaml:3: method\.rank: neither an axis nor set/,
		],
		['axes: { training.seed: [1] }\nexclude: [{ training.seed: 1 }]', /axes: no cell is left/],
		[
			'axes: { training.seed: [1] }\noverrides: [{ when: { training.seed: 2 }, set: { method.rank: 1 } }]',
			/no cell has the values/,
		],
		['cells: [{ method.rank: 4 }, { method: { rank: 4 } }]', /cells\.1: the same cell as an earlier one/],
		['cells: [{ name: 3, method.rank: 4 }]', /name: expected a text/],
		[
			'axes: { method.rank: [4, many] }',
			/grid\.yaml:2: method\.rank: expected a whole number of at least 1, found "many"/,
		],
		[
			'axes: { method.type: [lora, qlora] }\ncells: [{ method.base: int9 }]',
			/grid\.yaml:3: method\.base: expected one of/,
		],
	])('%j is refused', (text, message) => {
		expect(() => load(`config: lora.yaml\n${text}`)).toThrow(message);
	});

	it.each([
		['axes: { method.rank: [2, 2, 0] }', 'method.rank: 2 stands there twice'],
		['axes: { method.rnak: [2, 8] }', 'method.rnak: unknown option'],
		['axes: { method.rank: 8 }', 'method.rank: expected a list of values'],
		['cells: [{ method.rnak: 8 }]', 'method.rnak: unknown option'],
	])('tells the fault of %s alone, not of what is built on it', (text, fault) => {
		const built = `${text}
exclude: [{ method.rank: 4 }]
overrides: [{ when: { method.rank: 8 }, set: { training.learningRate: 5e-4 } }]`;
		expect(() => load(`config: lora.yaml\n${built}`)).toThrow(fault);
		expect(() => load(`config: lora.yaml\n${built}`)).not.toThrow(
			/neither an axis|has the values|have these values|no cell|faults/,
		);
	});

	it('tells the faults of all cells at once', () => {
		const text = 'config: lora.yaml\naxes: { method.rank: [0], training.seed: [1, -1] }';
		expect(() => load(text)).toThrow(/2 faults[\s\S]*method\.rank[\s\S]*training\.seed/);
	});

	it('tells what is wrong with the config that it starts from once, with that file’s line', () => {
		write('broken.yaml', 'model: m\ndata: { path: d }\nmethod: { type: lora, rnak: 8 }\n');
		const text = 'config: broken.yaml\naxes: { training.seed: [1, 2] }';
		expect(() => load(text)).toThrow(
			/^broken\.yaml:3: method\.rnak: unknown option, did you mean method\.rank\?/,
		);
		expect(() => load('config: absent.yaml')).toThrow(/^absent\.yaml: the config can't be read/);
	});

	it('refuses a flag for what the grid sets itself', () => {
		const text = 'config: lora.yaml\naxes: { training.seed: [1, 2] }';
		expect(() => load(text, { 'training.seed': '3' })).toThrow(/--training\.seed is set by the grid/);
	});
});

it('names a cell by the last part of a path', () => {
	const text = `config: lora.yaml\naxes: { model: [${path.join(root, 'one')}, two] }`;
	expect(names(text)).toEqual(['model=one', 'model=two']);
});
