import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { renderTable } from '../../bench/cuda/table.ts';

it('docs/gpu shows what its results say', () => {
	const page = path.resolve(import.meta.dirname, '../../docs/gpu/README.md');
	expect(readFileSync(page, 'utf8'), 'run npm run check:cuda -- --table').toBe(renderTable());
});
