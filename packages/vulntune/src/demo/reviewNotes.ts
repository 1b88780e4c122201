import type { Scheme } from './schemes.ts';

const faults: Readonly<Record<Scheme, string>> = {
	wrongVariable: 'the check is on another variable',
	lateCheck: 'the check comes after the use',
	staleCheck: 'the value is replaced after its check',
	cleanedCopyUnused: 'the cleaned copy is not the one used',
	negatedCondition: 'the condition is the wrong way round',
	checkWithoutExit: 'the check does not stop the call',
	missingCheck: 'there is no check before the use',
	swappedPurpose: 'the weak one serves the sensitive use',
	weakOnly: 'only a weak one is used',
};

/** What a reviewer would write under a version of a function. */
export function reviewNote(scheme: Scheme, version: 'vulnerable' | 'fixed'): string {
	return version === 'vulnerable' ? faults[scheme] : 'nothing to object';
}
