import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addConfigFlags, configOverrides, spellOutBooleans } from './schema-flags.ts';

it('takes the short names of options for these', () => {
	const train = new Command('train');
	addConfigFlags(train);
	const program = new Command().addCommand(train);
	const argv = spellOutBooleans(['train', '--drop-near-duplicates', '--backend', 'cpu'], program);
	program.parse(argv, { from: 'user' });
	expect(configOverrides(train.opts())).toEqual({
		'data.dropNearDuplicates': 'true',
		'backend.type': 'cpu',
	});
});
