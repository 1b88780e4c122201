import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { documentedKeys } from './documented-keys.ts';

const text = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');

it.each(documentedKeys)('docs/models.md says what becomes of each key: %.40s', (section) => {
	expect(text).toContain(section);
});
