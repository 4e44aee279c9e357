/**
 * onnxruntime's builds keep count of what they are used for, in a file beside the server or in /tmp, to be sent to their
 * maker. Import this before onnxruntime-node, which reads the variable when it starts.
 */
process.env.ORT_DISABLE_TELEMETRY = '1'
