// Every limit of this room, with where its number comes from.

/** Request line and headers together; nginx allows 4 times 8 kB, Node 16 kB. */
export const maxHeaderBytes = 32_768
export const maxHeaders = 200
/** A longer path is no path: browsers and servers stop at 8 kB. */
export const maxTargetBytes = 16_384
/** A connection that asks for nothing more. Longer than the 60 s after which load balancers give a quiet connection up. */
export const keepAliveMs = 75_000
/** Between two pieces of an upload. */
export const uploadStallMs = 120_000
/** A target that answers nothing at all: longer than any gateway's usual 60 s, since model APIs think for minutes. */
export const answerWithinMs = 15 * 60_000
/** Nobody asked anything for so long: the session is over. */
export const quietMs = 5 * 60_000
export const maxSessions = 5_000
/** Requests of one session at once. */
export const maxExchanges = 256
/** Connections of one session to its target. */
export const maxUpstreamConnections = 64
/** HTTP/2 connections of one session to its target; each takes what the target allows, mostly 100 streams or more. */
export const maxHttp2Connections = 8
/** What a target allows before it has said so (RFC 9113, section 6.5.2, advises no less). */
export const usualStreams = 100
/** Streams of one HTTP/2 connection at once. RFC 9113, section 6.5.2, advises no less than 100. */
export const maxStreams = 128
/** Requests of one session that wait for people, or were approved and not yet claimed. */
export const maxHeld = 64
/** An approval that nobody claims. */
export const approvalMs = 15 * 60_000
/** An answer that must be whole before it can be rewritten (a list of tools). */
export const maxRewrittenBytes = 8 * 1024 * 1024
/** One message of a WebSocket. */
export const maxMessageBytes = 16 * 1024 * 1024
/** What may wait for a slow receiver before its sender is held up. */
export const maxBufferedBytes = 1024 * 1024
/** A statement is read by people: what of a body is shown in its text. */
export const shownBodyCharacters = 4_000
/** A tunnel through which nothing passes. Longer than what waits on the other end is usually kept alive with. */
export const maxTunnelQuietMs = 15 * 60_000
