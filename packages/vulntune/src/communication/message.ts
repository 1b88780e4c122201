/** A message as bytes: JSON, in which NaN and the infinities keep their names. */
export function encodeMessage(message: unknown): Uint8Array {
	const text = JSON.stringify(message, (_, value: unknown) =>
		typeof value === 'number' && !Number.isFinite(value) ? { nonFinite: String(value) } : value,
	);
	return new TextEncoder().encode(text);
}

export function decodeMessage(bytes: Uint8Array): unknown {
	return JSON.parse(new TextDecoder().decode(bytes), (_, value: unknown) =>
		typeof value === 'object' && value !== null && 'nonFinite' in value ? Number(value.nonFinite) : value,
	);
}
