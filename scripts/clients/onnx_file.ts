/**
 * Runs an ONNX classifier with onnxruntime-node, and with onnxruntime-web, the WebAssembly that browsers run: largest difference of the
 * logits from the reference. Weights beside the graph are found by the first, and given to the second.
 *
 *     VULNTUNE_ONNXRUNTIME=node_modules node scripts/clients/onnx_file.ts MODEL.onnx reference.json
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Reference } from 'vulntune/export/testing/reference.ts';

const [file, referenceFile] = process.argv.slice(2) as [string, string];
const { ids, pad, logits }: Reference = JSON.parse(readFileSync(referenceFile, 'utf8'));
const width = Math.max(...ids.map(({ length }) => length));
const expected = logits.flat();
const weights = `${file}.data`;
const isBeside = existsSync(weights);
const externalData = isBeside ? [{ path: path.basename(weights), data: readFileSync(weights) }] : [];
const packages = {
	'onnxruntime-node': { entry: 'dist/index.js', given: [file] },
	'onnxruntime-web': { entry: 'dist/ort.wasm.min.mjs', given: [readFileSync(file), { externalData }] },
};

for (const [name, { entry, given }] of Object.entries(packages)) {
	const folder = path.resolve(process.env.VULNTUNE_ONNXRUNTIME!, name);
	const { version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
	const { InferenceSession, Tensor } = await import(pathToFileURL(path.join(folder, entry)).href);
	const tensor = (elementAt: (row: readonly number[], at: number) => number) => {
		const values = ids.flatMap((row) => Array.from({ length: width }, (_, at) => BigInt(elementAt(row, at))));
		return new Tensor('int64', BigInt64Array.from(values), [ids.length, width]); // [functions, longest]
	};
	const session = await InferenceSession.create(...given);
	const found = await session.run({
		input_ids: tensor((row, at) => row[at] ?? pad),
		attention_mask: tensor((row, at) => Number(at < row.length)),
	});
	const values: Float32Array = found.logits.data; // [functions, 2]
	const largest = Math.max(...expected.map((value, i) => Math.abs(value - values[i]!)));
	const magnitude = Math.max(...expected.map(Math.abs));
	const client = `${name} ${version}${isBeside ? ', weights beside it' : ''}, a batch padded on the right`;
	console.log(JSON.stringify({ client, largest, magnitude }));
}
