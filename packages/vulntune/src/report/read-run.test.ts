import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { readDataRecord } from './read-run.ts';

const data = path.join(temporaryFolder(), 'data.json');

it.each(['{}', 'null', '{"splits":{}}', '{'])('refuses the record of a run’s data where it is %s', (text) => {
	writeFileSync(data, text);
	expect(() => readDataRecord({ data })).toThrow(expect.objectContaining({ code: 'RUN_FILE', place: data }));
});
