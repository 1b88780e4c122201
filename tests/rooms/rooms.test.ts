import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** The rooms of each package from the ground up: a room imports those before it and never one that comes after. */
const rooms = {
	engine: [
		'errors.ts',
		'random',
		'formats',
		'backends',
		'quantize',
		'tensor',
		'ops',
		'layers',
		'models',
		'exports',
		'index.ts',
	],
	vulntune: [
		...[
			'terminal',
			'hub',
			'metrics',
			'packing',
			'figures',
			'sizing',
			'data',
			'audit',
			'methods',
			'objectives',
			'config',
		],
		...[
			'baselines',
			'run',
			'communication',
			'model',
			'scoring',
			'explanation',
			'training',
			'evaluation',
			'export',
			'report',
		],
		...[
			'fine-tuning',
			'cross-validation',
			'demo',
			'pretraining',
			'plan',
			'experiments',
			'doctor',
			'index.ts',
		],
		...['commands', 'cli'],
	],
};

interface Arrow {
	file: string;
	from: string;
	to: string;
}

/** Every import of another file of the package, types included; tests may import whatever they test. */
function arrowsOf(name: string): Arrow[] {
	const source = fileURLToPath(new URL(`../../packages/${name}/src`, import.meta.url));
	const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
		(file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.split(sep).includes('testing'),
	);
	const roomOf = (file: string): string => file.split(sep)[0]!;
	return files.flatMap((file) => {
		const text = readFileSync(join(source, file), 'utf8');
		const imported = text.matchAll(/(?:from|import|import\(|new URL\()\s*'([^']+)'/g);
		return [...imported]
			.map(([, path]) => path!)
			.filter((path) => path.startsWith('.') && path.endsWith('.ts'))
			.map((path) => relative(source, join(source, file, '..', path)))
			.filter((target) => !target.startsWith('..'))
			.map((target) => ({ file, from: roomOf(file), to: roomOf(target) }));
	});
}

test.each(Object.entries(rooms))('imports of %s go one way, from room to room', (name, order) => {
	const arrows = arrowsOf(name).filter(({ from, to }) => from !== to);
	expect(arrows.length).toBeGreaterThan(50);
	for (const { file, from, to } of arrows) {
		expect(order, `${file}: is this a new room? Say where it stands`).toContain(from);
		expect(order.indexOf(to), `${file} imports from ${to}, which stands above ${from}`).toBeLessThan(
			order.indexOf(from),
		);
	}
});
