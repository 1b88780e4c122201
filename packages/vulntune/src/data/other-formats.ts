import { inputError, type VulntuneError } from '@vulntune/engine/errors.ts';

/**
 * The error for a file that is no JSONL at all, which as a fault in each of its lines would say nothing; undefined for one that may be.
 *
 * @param name `train.jsonl`
 */
export function otherFormat(bytes: Uint8Array, name: string): VulntuneError | undefined {
	const found = formatOf(bytes);
	if (found === undefined) return undefined;
	return inputError('DATASET_FORMAT', `expected one JSON object a line (JSONL), found ${found.what}`, {
		place: name,
		remedy: found.remedy,
	});
}

/** What to do with a table or a list; pandas is where most of them come from. */
const convert = 'In pandas: frame.to_json("train.jsonl", orient="records", lines=True).';

function formatOf(bytes: Uint8Array): { what: string; remedy: string } | undefined {
	const [first, second] = bytes;
	if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
		return { what: 'UTF-16 text', remedy: 'Save the file as UTF-8.' };
	}
	if (first === 0x1f && second === 0x8b) return { what: 'a gzip file', remedy: 'Unpack it: gunzip.' };
	const start = new TextDecoder().decode(bytes.subarray(0, 4096)).trimStart();
	if (start.startsWith('PAR1')) return { what: 'a Parquet file', remedy: `Convert it. ${convert}` };
	if (start.startsWith('[')) {
		return {
			what: 'a JSON array',
			remedy: `Write each of its objects on a line of its own: jq -c '.[]'. ${convert}`,
		};
	}
	const [line = ''] = start.split('\n');
	if (line.trim() === '{') {
		return { what: 'a JSON object over several lines', remedy: "Write each row on one line: jq -c '.'." };
	}
	const columns = line.split(/[,;\t]/).map((name) => name.trim().replace(/^"|"$/g, '').toLowerCase());
	const isTable =
		columns.length > 1 && ['code', 'func', 'target', 'label'].some((name) => columns.includes(name));
	return isTable ? { what: 'a table (CSV)', remedy: `Convert it. ${convert}` } : undefined;
}
