// The lead that this page requires: how long before its instant a trigger must be sent to start on time.
//
// Pure: delays and latencies go in, a lead in microseconds comes out.

/**
 * The required lead, in µs; null while the page cannot play.
 *
 * @param {number | null} delayMicros quantile of the one-way delay from the relay
 * @param {number | null} aheadMicros how far the mix runs ahead of the output, at most
 * @param {number} quantumMicros one render quantum
 * @param {number} extraLatencyMicros latency that the output does not report
 */
export function requiredLead(delayMicros, aheadMicros, quantumMicros, extraLatencyMicros) {
  if (delayMicros === null || aheadMicros === null) return null;
  return Math.max(0, Math.round(delayMicros + aheadMicros + quantumMicros + extraLatencyMicros));
}

/** Whether a required lead differs so much from the reported one that it must be reported at once. */
export function hasChangedMuch(requiredMicros, reportedMicros) {
  if (requiredMicros === null || reportedMicros === null) return requiredMicros !== reportedMicros;
  const change = Math.abs(requiredMicros - reportedMicros);
  return change > 2000 && change > reportedMicros / 4;
}
