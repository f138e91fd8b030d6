/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statement: all of this library that a device needs, in one header.
 *
 *     jws.h       the envelope of everything that is signed; limits; errors
 *     ask.h       statements: device to steward
 *     answer.h    answers: steward to device
 *     bundle.h    which keys a device believes
 *     carrier.h   the JSON around them on MQTT and HTTPS
 *     question.h  when two statements are the same question
 *
 * The steward also includes ticket.h and receipt.h. Order of checks: docs/protocol.md.
 */
#ifndef CRADLE_STATEMENT_STATEMENT_H
#define CRADLE_STATEMENT_STATEMENT_H

#include "statement/answer.h"
#include "statement/ask.h"
#include "statement/bundle.h"
#include "statement/carrier.h"
#include "statement/jws.h"
#include "statement/question.h"

#endif
