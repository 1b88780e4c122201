import { inputError, type VulntuneError } from '../../errors.ts';

const downloadAgain = 'The file is damaged or not a GGUF file: download or export it again.';

/** The file contradicts the format. */
export function formatError(message: string, place: string): VulntuneError {
	return inputError('GGUF_FORMAT', message, { place, remedy: downloadAgain });
}

/** The file ends before what it announces. */
export function truncatedError(message: string, place: string): VulntuneError {
	return inputError('GGUF_TRUNCATED', message, {
		place,
		remedy: 'The file is cut off: copy or download it again.',
	});
}

/** The file is whole, and asks for something that would be computed wrongly here. */
export function unsupportedError(
	message: string,
	place: string,
	remedy = 'Take the model in Hugging Face layout (config.json, tokenizer.json, *.safetensors), or choose another.',
): VulntuneError {
	return inputError('GGUF_UNSUPPORTED', message, { place, remedy });
}
