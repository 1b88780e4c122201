import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addConfigFlags, configOverrides, spellOutBooleans } from './schema-flags.ts';

it('takes the short names of options for these', () => {
	const train = new Command('train');
	addConfigFlags(train);
	const argv = spellOutBooleans(['--drop-near-duplicates', '--backend', 'cpu'], train);
	train.parse(argv, { from: 'user' });
	expect(configOverrides(train.opts())).toEqual({
		'data.dropNearDuplicates': 'true',
		'backend.type': 'cpu',
	});
});
