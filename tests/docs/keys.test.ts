import { readFileSync } from 'node:fs';
import { families } from '@vulntune/engine/models/families.ts';
import { expect, it } from 'vitest';
import { documentedKeys, sharedConfigKeys } from './documented-keys.ts';

const text = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');

it.each(documentedKeys)('docs/models.md says what becomes of each key: %.40s', (section) => {
	expect(text).toContain(section);
});

it.each(families)('$name has the keys that docs/models.md says every family has', ({ keys }) => {
	expect([...sharedConfigKeys.keys()].filter((key) => !keys.has(key))).toEqual([]);
});
