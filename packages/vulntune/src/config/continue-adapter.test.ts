import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type HostMatrix, writePeftAdapter } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, writeTinyModel } from '../../../../tests/tiny.ts';
import { resolveConfig } from './load.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const ends = { o_proj: 'self_attn', q_proj: 'self_attn' } as const;
const modules = [0, 1].flatMap((layer) =>
	Object.entries(ends).map(([end, part]) => `model.layers.${layer}.${part}.${end}`),
);
const description = {
	format: 1,
	model,
	base: 'nf4',
	doubleQuantization: false,
	objective: 'class',
	nextToken: { prompt: '?', positive: 'Y', negative: 'N' },
	head: { pool: 'mean', hidden: 3 },
	threshold: null,
};

function writeAdapter(name: string, adapted = modules, described: object | null = description): string {
	const folder = path.join(root, name);
	mkdirSync(folder);
	const matrices = new Map<string, HostMatrix>();
	for (const module of adapted) {
		matrices.set(`${module}.lora_A.weight`, { shape: [5, 32], values: new Float32Array(160) });
		matrices.set(`${module}.lora_B.weight`, { shape: [32, 5], values: new Float32Array(160) });
	}
	const config = { rank: 5, alpha: 7, dropout: 0.25, rsLora: true, targets: ['q_proj'] };
	writePeftAdapter(folder, { config, baseModel: model, matrices, head: new Map() });
	if (described !== null) writeFileSync(path.join(folder, 'vulntune.json'), JSON.stringify(described));
	return folder;
}

const adapter = writeAdapter('adapter');

interface Given {
	readonly method?: object;
	readonly rest?: object;
	readonly overrides?: Readonly<Record<string, string>>;
	readonly allowOtherBase?: boolean;
	readonly isRecord?: boolean;
}

function resolve({ method, rest, overrides = {}, ...context }: Given = {}, from = adapter) {
	const value = {
		model,
		data: { path: '/d' },
		method: { type: 'qlora', from, ...method },
		output: '/o',
		...rest,
	};
	return resolveConfig(value, { place: 'c.yaml', folder: '/', overrides, ...context });
}

describe('a config that starts from an adapter', () => {
	it('takes what it does not say from the adapter, not from the defaults', () => {
		expect(resolve()).toMatchObject({
			method: {
				...{ rank: 5, alpha: 7, rsLora: true, dropout: 0.25, targets: ['o_proj', 'q_proj'] },
				...{ base: 'nf4', doubleQuantization: false },
			},
			head: { pool: 'mean', hidden: 3 },
			nextToken: { prompt: '?', positive: 'Y', negative: 'N' },
		});
	});

	it.each([
		['method.rank', '8', '5'],
		['method.alpha', '32', '7'],
		['method.rsLora', 'false', 'true'],
		['method.base', 'fp4', 'nf4'],
		['method.doubleQuantization', 'true', 'false'],
		['head.pool', 'last', 'mean'],
		['head.hidden', 'null', '3'],
	])(
		'refuses another %s, even where it is the default, with both values named',
		(name, written, adapters) => {
			const refused = () => resolve({ overrides: { [name]: written } });
			expect(refused).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', place: `--${name}` }));
			const value =
				name.startsWith('method.') && /[a-z]/.test(written[0]!) && written !== 'true' && written !== 'false';
			const shown = value || name === 'head.pool' ? JSON.stringify(written) : written;
			const expected = /^(nf4|mean)$/.test(adapters) ? JSON.stringify(adapters) : adapters;
			expect(refused).toThrow(`expected ${expected}, as the adapter in method.from has it`);
			expect(refused).toThrow(`found ${shown}`);
		},
	);

	it('names all that contradicts at once, and accepts what says the same', () => {
		expect(() => resolve({ method: { rank: 8, alpha: 1 } })).toThrow(
			/2 faults.*method\.rank.*method\.alpha/s,
		);
		const same = { rank: 5, alpha: 7, rsLora: true, targets: 'attention', base: 'nf4' };
		expect(resolve({ method: same, rest: { head: { pool: 'mean' } } }).method.targets).toEqual(same.targets);
	});

	it('sees both ways in as many blocks as the adapter does', () => {
		const both = writeAdapter('both-ways', modules, { ...description, bidirectionalLayers: 2 });
		expect(resolve({}, both).method.bidirectionalLayers).toBe(2);
		expect(() => resolve({ method: { bidirectionalLayers: 1 } }, both)).toThrow(
			/method\.bidirectionalLayers: expected 2, as the adapter in method\.from has it/,
		);
		expect(() => resolve({ method: { bidirectionalLayers: 1 } })).toThrow(/expected 0, as the adapter/);
		const foreign = writeAdapter('foreign-both-ways', modules, null);
		expect(resolve({ method: { bidirectionalLayers: 1 } }, foreign).method.bidirectionalLayers).toBe(1);
	});

	it('trains with another dropout, objective or question where it says so', () => {
		const rest = { objective: 'nextToken', nextToken: { prompt: '!' } };
		expect(resolve({ method: { dropout: 0 }, rest })).toMatchObject({
			objective: 'nextToken',
			nextToken: { prompt: '!', positive: 'Y' },
			method: { dropout: 0 },
		});
	});

	describe('is checked with what it takes from the adapter, as if it were written', () => {
		const asking = writeAdapter('asking', modules, { ...description, objective: 'nextToken' });
		const bothWays = writeAdapter('sees-both-ways', modules, { ...description, bidirectionalLayers: 1 });
		const asIts = (option: string) => `${option}: as the adapter in method.from has it`;
		it.each([
			['method.stack', { method: { stack: 'ngram' } }],
			['loss.pair', { rest: { loss: { pair: 'rank' } } }],
			['head.pool', { rest: { head: { pool: 'mean' } } }],
		])('an objective that leaves %s without effect', (name, given) => {
			const refused = () => resolve(given, asking);
			expect(refused).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
			expect(refused).toThrow(`${name}: has no effect with objective nextToken (${asIts('objective')})`);
			// its own objective gives it one, but for what the head is
			const rest = { objective: 'class', ...('rest' in given ? given.rest : {}) };
			expect(resolve({ ...given, rest }, asking).objective).toBe('class');
		});

		it('an objective that gives a question its effect', () => {
			const own = resolve({ rest: { nextToken: { prompt: '!' } } }, asking);
			expect(own).toMatchObject({ objective: 'nextToken', nextToken: { prompt: '!', negative: 'N' } });
		});

		it('answers that become the same, and those that do not', () => {
			const answer = (positive: string) => resolve({ rest: { nextToken: { positive } } }, asking);
			expect(() => answer('N')).toThrow(
				`expected another answer than nextToken.positive, found "N" for both (${asIts('nextToken.negative')})`,
			);
			expect(answer(' NO').nextToken).toMatchObject({ positive: ' NO', negative: 'N' });
		});

		it('packs in which a function can not be seen both ways', () => {
			const leaky = { rest: { sequence: { packing: 'leaky' } } };
			expect(() => resolve(leaky, bothWays)).toThrow(
				`expected 0 where sequence.packing is leaky, whose functions see what lies before them alone, found 1 (${asIts('method.bidirectionalLayers')})`,
			);
			expect(resolve(leaky).sequence.packing).toBe('leaky');
			expect(() => resolve({ rest: { objective: 'nextToken' } }, bothWays)).toThrow(
				/expected 0 where objective/,
			);
		});

		it('all at once', () => {
			const given = { method: { rank: 8 }, rest: { loss: { pair: 'rank', gamma: -1 } } };
			expect(() => resolve(given, asking)).toThrow(/3 faults.*loss\.gamma.*method\.rank.*loss\.pair/s);
		});
	});

	it('starts on a base that is held otherwise only by name', () => {
		const plain = { method: { type: 'lora' } };
		expect(() => resolve(plain)).toThrow(
			/method\.type: expected qlora on a base in nf4.*--allow-other-base.*found lora/,
		);
		expect(resolve({ ...plain, allowOtherBase: true }).method).toMatchObject({ base: 'bf16', rank: 5 });
		const other = { method: { base: 'int8' }, allowOtherBase: true };
		expect(resolve(other).method.base).toBe('int8');
	});

	it('goes on with the modules of adapters that select some layers, and with all of them by their ends', () => {
		const some = modules.slice(0, 2);
		expect(resolve({}, writeAdapter('first-layer', some)).method.targets).toEqual(some);
		const parts = { q_proj: 'self_attn', k_proj: 'self_attn', v_proj: 'self_attn', o_proj: 'self_attn' };
		const attention = [0, 1].flatMap((layer) =>
			Object.entries(parts).map(([end, part]) => `model.layers.${layer}.${part}.${end}`),
		);
		expect(resolve({}, writeAdapter('attention', attention)).method.targets).toEqual([
			'k_proj',
			'o_proj',
			'q_proj',
			'v_proj',
		]);
	});

	it('knows of an adapter of another tool what its own files say', () => {
		const folder = writeAdapter('of-peft', modules, null);
		const { method, head, objective } = resolve({ method: { base: 'fp4' } }, folder);
		expect(method).toMatchObject({ rank: 5, alpha: 7, rsLora: true, base: 'fp4' });
		expect([head, objective]).toEqual([{ pool: 'last', hidden: null, bias: false }, 'class']);
	});

	it('needs it no more once a run keeps the config', () => {
		const gone = path.join(root, 'gone');
		cpSync(adapter, gone, { recursive: true });
		const method = { rank: 9 };
		expect(() => resolve({ method }, gone)).toThrow(/method\.rank/);
		expect(resolve({ method, isRecord: true }, gone).method.rank).toBe(9);
		rmSync(gone, { recursive: true });
		expect(resolve({ method, isRecord: true }, gone).method.rank).toBe(9);
	});

	it('is none for methods without an adapter', () => {
		for (const type of ['full', 'head', 'ngram']) {
			expect(() => resolve({ method: { type } })).toThrow(/method\.from: has no effect with method/);
		}
	});
});
