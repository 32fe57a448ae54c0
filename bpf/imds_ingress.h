/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the status of an answer out of the packets that a socket receives from IMDS. Part of
 * imds_wire.h.
 */
#ifndef IMDS_INGRESS_H
#define IMDS_INGRESS_H

#include "imds_answers.h"
#include "imds_packet.h"

/* Whether a sequence number lies behind another. */
static __always_inline int imds_is_behind(unsigned int sequence, unsigned int other)
{
	return (int)(sequence - other) > 0;
}

/*
 * Expect an answer from `sequence` on, unless one is expected already: what there is to know of
 * it goes into `exchange`. Returns 0 if there is nothing to do.
 */
static __always_inline int imds_begin_exchange(struct imds_exchange *exchange,
					       const struct imds_exchange *known,
					       unsigned int netns, unsigned int sequence,
					       unsigned int is_opening)
{
	if (known && known->is_expected)
		return 0;
	exchange->netns = netns;
	exchange->is_expected = 1;
	exchange->sequence = sequence;
	exchange->is_opening = is_opening;
	if (known && known->seen_end) {
		exchange->seen_end = known->seen_end;
		/* What has come and waits for whoever holds the lock TCP has not counted yet. */
		if (imds_is_behind(known->seen_end, sequence))
			exchange->sequence = known->seen_end;
	}
	return 1;
}

/*
 * What a socket receives: the status line is put together from the packets in which it
 * comes, wherever in it each begins. Packets come here before TCP has put them in order.
 */
static __always_inline int imds_ingress(struct __sk_buff *skb)
{
	struct imds_packet packet = {};
	struct imds_exchange *exchange;
	enum imds_peer peer = IMDS_PEER_SENDS;
	unsigned int at, skipped = 0;
	unsigned long long sock;

	if (imds_is_socket_to_imds(skb) || imds_is_translated())
		peer = IMDS_PEER_ANY;
	if (!imds_read_packet(skb, peer, &packet))
		return IMDS_PASS;
	sock = (unsigned long long)imds_sock(skb);
	exchange = imds_exchange_of(sock);
	if (!exchange)
		return IMDS_PASS;
	/*
	 * What acknowledges bytes that were never sent TCP drops: somebody else made it. (snd_nxt
	 * may be behind: it is moved after the packet has gone out, and the answer can be here by
	 * then.)
	 */
	if (!exchange->is_opening &&
	    imds_is_behind(packet.acknowledged, READ((const struct tcp_sock *)sock, write_seq)))
		return IMDS_PASS;
	if (!exchange->seen_end ||
	    imds_is_behind(packet.sequence + packet.payload_size, exchange->seen_end))
		exchange->seen_end = packet.sequence + packet.payload_size;
	if (!exchange->is_expected)
		return IMDS_PASS;
	if (exchange->is_opening) {
		/*
		 * The other end's numbers were not known when it was asked, and TCP may not have
		 * come to them yet: the answer to the SYN waits for whoever holds the lock.
		 */
		exchange->sequence = packet.sequence;
		if (READ((const struct sock_common *)sock, skc_state) != TCP_SYN_SENT)
			exchange->sequence = READ((const struct tcp_sock *)sock, rcv_nxt);
		exchange->is_opening = 0;
	}
	at = packet.sequence - exchange->sequence;
	if ((int)at < 0) { /* sent again, with new bytes behind */
		skipped = -at;
		at = 0;
	}
	if (at == 0 && skipped < packet.payload_size && exchange->hop_limit == 0)
		exchange->hop_limit = packet.hop_limit;
	for (int i = 0; i < IMDS_STATUS_LINE_LEN; i++) {
		unsigned int place = at + i;

		if (place >= IMDS_STATUS_LINE_LEN || skipped + i >= packet.payload_size)
			break;
		OPAQUE(place);
		place &= sizeof(exchange->line) - 1;
		if (bpf_skb_load_bytes(skb, packet.payload_at + skipped + i, &exchange->line[place],
				       1))
			break;
		exchange->have |= 1ull << place;
	}
	if (exchange->have != (1ull << IMDS_STATUS_LINE_LEN) - 1)
		return IMDS_PASS;
	exchange->is_expected = 0;
	imds_report(IMDS_KIND_ANSWER, imds_status(exchange->line), sock, exchange->netns,
		    exchange->hop_limit);
	return IMDS_PASS;
}

#endif
