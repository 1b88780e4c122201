import { expect, it } from 'vitest';
import { tinyConfig, tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { createIdentifier } from './identify.ts';
import { studyFolder } from './testing/study-folder.ts';

const { inside, root } = studyFolder();
const model = writeTinyModel(inside('llama'));

it('is another run for another base, and the same one wherever that lies', async () => {
	const identifier = createIdentifier();
	const idOf = async (folder: string) => {
		const config = tinyConfig({ model: folder, data: root, output: inside('runs') });
		return (await identifier.entryOf({ name: '', settings: new Map(), config }, 0)).run;
	};
	const [own, copy, other] = [
		await idOf(model),
		await idOf(writeTinyModel(inside('copy'))),
		await idOf(writeTinyModel(inside('qwen2'), tinyShapes.qwen2)),
	];
	expect(own.error ?? other.error).toBeUndefined();
	expect(copy).toMatchObject({ id: own.id, baseFingerprint: own.baseFingerprint });
	expect(other.id).not.toBe(own.id);
	expect(other.baseFingerprint).not.toBe(own.baseFingerprint);
});
