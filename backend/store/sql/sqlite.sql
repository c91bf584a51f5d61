-- Written by the test `statements_are_the_committed_ones`; do not edit.

-- Account
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 1 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 1, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 1 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 1 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 1;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 1, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 1;

-- Device
SELECT bucket, body, version FROM device WHERE bucket = ?1 AND account = ?2 AND id = ?3;
INSERT INTO device (bucket, account, id, state, epoch, label, registered_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1);
UPDATE device SET state = ?4, epoch = ?5, label = ?6, registered_at = ?7, body = ?8, version = version + 1 WHERE bucket = ?1 AND account = ?2 AND id = ?3 AND version = ?9;
DELETE FROM device WHERE bucket = ?1 AND account = ?2 AND id = ?3 AND version = ?9;
SELECT bucket, body, version FROM device WHERE bucket = ?1;
INSERT INTO device (bucket, account, id, state, epoch, label, registered_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);
SELECT count(*) FROM device;

-- ContactClaim
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 3 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 3, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 3 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 3 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 3;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 3, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 3;

-- Token
SELECT bucket, body, version FROM token WHERE bucket = ?1 AND hash = ?2;
INSERT INTO token (bucket, hash, account, device, kind, expires_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1);
UPDATE token SET account = ?3, device = ?4, kind = ?5, expires_at = ?6, body = ?7, version = version + 1 WHERE bucket = ?1 AND hash = ?2 AND version = ?8;
DELETE FROM token WHERE bucket = ?1 AND hash = ?2 AND version = ?8;
SELECT bucket, body, version FROM token WHERE bucket = ?1;
INSERT INTO token (bucket, hash, account, device, kind, expires_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);
SELECT count(*) FROM token;

-- Shop
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 5 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 5, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 5 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 5 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 5;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 5, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 5;

-- Product
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 6 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 6, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 6 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 6 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 6;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 6, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 6;

-- Offer
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 7 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 7, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 7 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 7 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 7;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 7, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 7;

-- Sku
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 8 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 8, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 8 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 8 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 8;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 8, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 8;

-- Stock
SELECT bucket, offer, shop, on_hand, reserved, committed, allotted, safety, sold, received, returned, lost, revision, version FROM stock WHERE bucket = ?1 AND offer = ?2;
INSERT INTO stock (bucket, offer, shop, on_hand, reserved, committed, allotted, safety, sold, received, returned, lost, revision, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 1);
UPDATE stock SET shop = ?3, on_hand = ?4, reserved = ?5, committed = ?6, allotted = ?7, safety = ?8, sold = ?9, received = ?10, returned = ?11, lost = ?12, revision = ?13, version = version + 1 WHERE bucket = ?1 AND offer = ?2 AND version = ?14;
DELETE FROM stock WHERE bucket = ?1 AND offer = ?2 AND version = ?14;
SELECT bucket, offer, shop, on_hand, reserved, committed, allotted, safety, sold, received, returned, lost, revision, version FROM stock WHERE bucket = ?1;
INSERT INTO stock (bucket, offer, shop, on_hand, reserved, committed, allotted, safety, sold, received, returned, lost, revision, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14);
SELECT count(*) FROM stock;

-- CartLine
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 10 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 10, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 10 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 10 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 10;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 10, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 10;

-- Checkout
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 11 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 11, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 11 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 11 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 11;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 11, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 11;

-- Order
SELECT bucket, body, version FROM orders WHERE bucket = ?1 AND id = ?2;
INSERT INTO orders (bucket, id, shop, buyer, state, shipment, currency, total_minor, paid_minor, released_minor, refunded_minor, placed_at, updated_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 1);
UPDATE orders SET shop = ?3, buyer = ?4, state = ?5, shipment = ?6, currency = ?7, total_minor = ?8, paid_minor = ?9, released_minor = ?10, refunded_minor = ?11, placed_at = ?12, updated_at = ?13, body = ?14, version = version + 1 WHERE bucket = ?1 AND id = ?2 AND version = ?15;
DELETE FROM orders WHERE bucket = ?1 AND id = ?2 AND version = ?15;
SELECT bucket, body, version FROM orders WHERE bucket = ?1;
INSERT INTO orders (bucket, id, shop, buyer, state, shipment, currency, total_minor, paid_minor, released_minor, refunded_minor, placed_at, updated_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15);
SELECT count(*) FROM orders;

-- Address
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 13 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 13, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 13 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 13 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 13;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 13, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 13;

-- Payment
SELECT bucket, body, version FROM payment WHERE bucket = ?1 AND id = ?2;
INSERT INTO payment (bucket, id, order_id, buyer, rail, rail_ref, state, currency, amount_minor, captured_minor, begun_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1);
UPDATE payment SET order_id = ?3, buyer = ?4, rail = ?5, rail_ref = ?6, state = ?7, currency = ?8, amount_minor = ?9, captured_minor = ?10, begun_at = ?11, body = ?12, version = version + 1 WHERE bucket = ?1 AND id = ?2 AND version = ?13;
DELETE FROM payment WHERE bucket = ?1 AND id = ?2 AND version = ?13;
SELECT bucket, body, version FROM payment WHERE bucket = ?1;
INSERT INTO payment (bucket, id, order_id, buyer, rail, rail_ref, state, currency, amount_minor, captured_minor, begun_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13);
SELECT count(*) FROM payment;

-- RailOp
SELECT bucket, body, version FROM rail_op WHERE bucket = ?1 AND id = ?2;
INSERT INTO rail_op (bucket, id, rail, kind, payment, order_id, state, currency, amount_minor, attempts, next_try_at, made_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 1);
UPDATE rail_op SET rail = ?3, kind = ?4, payment = ?5, order_id = ?6, state = ?7, currency = ?8, amount_minor = ?9, attempts = ?10, next_try_at = ?11, made_at = ?12, body = ?13, version = version + 1 WHERE bucket = ?1 AND id = ?2 AND version = ?14;
DELETE FROM rail_op WHERE bucket = ?1 AND id = ?2 AND version = ?14;
SELECT bucket, body, version FROM rail_op WHERE bucket = ?1;
INSERT INTO rail_op (bucket, id, rail, kind, payment, order_id, state, currency, amount_minor, attempts, next_try_at, made_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14);
SELECT count(*) FROM rail_op;

-- Blocker
SELECT bucket, body, version FROM blocker WHERE bucket = ?1 AND order_id = ?2;
INSERT INTO blocker (bucket, order_id, kind, next_due_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, 1);
UPDATE blocker SET kind = ?3, next_due_at = ?4, body = ?5, version = version + 1 WHERE bucket = ?1 AND order_id = ?2 AND version = ?6;
DELETE FROM blocker WHERE bucket = ?1 AND order_id = ?2 AND version = ?6;
SELECT bucket, body, version FROM blocker WHERE bucket = ?1;
INSERT INTO blocker (bucket, order_id, kind, next_due_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
SELECT count(*) FROM blocker;

-- Parcel
SELECT bucket, body, version FROM parcel WHERE bucket = ?1 AND id = ?2;
INSERT INTO parcel (bucket, id, waybill, order_id, shop, buyer, courier, state, level, updated_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1);
UPDATE parcel SET waybill = ?3, order_id = ?4, shop = ?5, buyer = ?6, courier = ?7, state = ?8, level = ?9, updated_at = ?10, body = ?11, version = version + 1 WHERE bucket = ?1 AND id = ?2 AND version = ?12;
DELETE FROM parcel WHERE bucket = ?1 AND id = ?2 AND version = ?12;
SELECT bucket, body, version FROM parcel WHERE bucket = ?1;
INSERT INTO parcel (bucket, id, waybill, order_id, shop, buyer, courier, state, level, updated_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12);
SELECT count(*) FROM parcel;

-- WaybillClaim
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 18 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 18, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 18 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 18 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 18;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 18, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 18;

-- CustodyEvent
SELECT bucket, body, version FROM custody_event WHERE bucket = ?1 AND parcel = ?2 AND id = ?3;
INSERT INTO custody_event (bucket, parcel, id, received_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, 1);
UPDATE custody_event SET received_at = ?4, body = ?5, version = version + 1 WHERE bucket = ?1 AND parcel = ?2 AND id = ?3 AND version = ?6;
DELETE FROM custody_event WHERE bucket = ?1 AND parcel = ?2 AND id = ?3 AND version = ?6;
SELECT bucket, body, version FROM custody_event WHERE bucket = ?1;
INSERT INTO custody_event (bucket, parcel, id, received_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
SELECT count(*) FROM custody_event;

-- HandoverSeen
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 20 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 20, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 20 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 20 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 20;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 20, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 20;

-- Stop
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 21 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 21, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 21 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 21 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 21;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 21, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 21;

-- Shift
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 22 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 22, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 22 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 22 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 22;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 22, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 22;

-- Route
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 23 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 23, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 23 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 23 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 23;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 23, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 23;

-- Card
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 24 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 24, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 24 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 24 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 24;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 24, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 24;

-- ShopCard
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 25 AND id = ?2;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 25, ?2, ?3, 1);
UPDATE entity SET body = ?3, version = version + 1 WHERE bucket = ?1 AND kind = 25 AND id = ?2 AND version = ?4;
DELETE FROM entity WHERE bucket = ?1 AND kind = 25 AND id = ?2 AND version = ?4;
SELECT bucket, body, version FROM entity WHERE bucket = ?1 AND kind = 25;
INSERT INTO entity (bucket, kind, id, body, version) VALUES (?1, 25, ?2, ?3, ?4);
SELECT count(*) FROM entity WHERE kind = 25;

-- LedgerAccount
SELECT bucket, id, code, currency, owner, sub, flags, debits_posted, credits_posted, debits_pending, credits_pending, last_seq, version FROM ledger_account WHERE bucket = ?1 AND id = ?2;
INSERT INTO ledger_account (bucket, id, code, currency, owner, sub, flags, debits_posted, credits_posted, debits_pending, credits_pending, last_seq, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1);
UPDATE ledger_account SET code = ?3, currency = ?4, owner = ?5, sub = ?6, flags = ?7, debits_posted = ?8, credits_posted = ?9, debits_pending = ?10, credits_pending = ?11, last_seq = ?12, version = version + 1 WHERE bucket = ?1 AND id = ?2 AND version = ?13;
DELETE FROM ledger_account WHERE bucket = ?1 AND id = ?2 AND version = ?13;
SELECT bucket, id, code, currency, owner, sub, flags, debits_posted, credits_posted, debits_pending, credits_pending, last_seq, version FROM ledger_account WHERE bucket = ?1;
INSERT INTO ledger_account (bucket, id, code, currency, owner, sub, flags, debits_posted, credits_posted, debits_pending, credits_pending, last_seq, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13);
SELECT count(*) FROM ledger_account;

-- Owner
SELECT bucket, epoch, journal_seq, journal_hash, journal_last_at, outbox_seq, catalogue_seq, waybill_seq, version FROM bucket_owner WHERE bucket = ?1;
INSERT INTO bucket_owner (bucket, epoch, journal_seq, journal_hash, journal_last_at, outbox_seq, catalogue_seq, waybill_seq, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1);
UPDATE bucket_owner SET epoch = ?2, journal_seq = ?3, journal_hash = ?4, journal_last_at = ?5, outbox_seq = ?6, catalogue_seq = ?7, waybill_seq = ?8, version = version + 1 WHERE bucket = ?1 AND version = ?9;
DELETE FROM bucket_owner WHERE bucket = ?1 AND version = ?9;
SELECT bucket, epoch, journal_seq, journal_hash, journal_last_at, outbox_seq, catalogue_seq, waybill_seq, version FROM bucket_owner WHERE bucket = ?1;
INSERT INTO bucket_owner (bucket, epoch, journal_seq, journal_hash, journal_last_at, outbox_seq, catalogue_seq, waybill_seq, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);
SELECT count(*) FROM bucket_owner;

-- Intent
SELECT bucket, account, id, device, epoch, dev_seq, lane, pos, kind, hash, text, signature, outcome, reference_version, decided_at, 1 FROM intent WHERE bucket = ?1 AND account = ?2 AND id = ?3;
INSERT INTO intent (bucket, account, id, device, epoch, dev_seq, lane, pos, kind, hash, text, signature, outcome, reference_version, decided_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15);
DELETE FROM intent WHERE bucket = ?1 AND account = ?2 AND id = ?3;
SELECT bucket, account, id, device, epoch, dev_seq, lane, pos, kind, hash, text, signature, outcome, reference_version, decided_at, 1 FROM intent WHERE bucket = ?1;
INSERT INTO intent (bucket, account, id, device, epoch, dev_seq, lane, pos, kind, hash, text, signature, outcome, reference_version, decided_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15);
SELECT count(*) FROM intent;

-- Stream
SELECT bucket, device, epoch, lane, last, reused, version FROM stream WHERE bucket = ?1 AND device = ?2 AND epoch = ?3 AND lane = ?4;
INSERT INTO stream (bucket, device, epoch, lane, last, reused, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1);
UPDATE stream SET last = ?5, reused = ?6, version = version + 1 WHERE bucket = ?1 AND device = ?2 AND epoch = ?3 AND lane = ?4 AND version = ?7;
DELETE FROM stream WHERE bucket = ?1 AND device = ?2 AND epoch = ?3 AND lane = ?4 AND version = ?7;
SELECT bucket, device, epoch, lane, last, reused, version FROM stream WHERE bucket = ?1;
INSERT INTO stream (bucket, device, epoch, lane, last, reused, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);
SELECT count(*) FROM stream;

-- Minted
SELECT bucket, device, epoch, dev_seq, id, version FROM minted WHERE bucket = ?1 AND device = ?2 AND epoch = ?3 AND dev_seq = ?4;
INSERT INTO minted (bucket, device, epoch, dev_seq, id, version) VALUES (?1, ?2, ?3, ?4, ?5, 1);
UPDATE minted SET id = ?5, version = version + 1 WHERE bucket = ?1 AND device = ?2 AND epoch = ?3 AND dev_seq = ?4 AND version = ?6;
DELETE FROM minted WHERE bucket = ?1 AND device = ?2 AND epoch = ?3 AND dev_seq = ?4 AND version = ?6;
SELECT bucket, device, epoch, dev_seq, id, version FROM minted WHERE bucket = ?1;
INSERT INTO minted (bucket, device, epoch, dev_seq, id, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
SELECT count(*) FROM minted;

-- ScopePart
SELECT bucket, scope, seq, sum, rows, version FROM scope_part WHERE bucket = ?1 AND scope = ?2;
INSERT INTO scope_part (bucket, scope, seq, sum, rows, version) VALUES (?1, ?2, ?3, ?4, ?5, 1);
UPDATE scope_part SET seq = ?3, sum = ?4, rows = ?5, version = version + 1 WHERE bucket = ?1 AND scope = ?2 AND version = ?6;
DELETE FROM scope_part WHERE bucket = ?1 AND scope = ?2 AND version = ?6;
SELECT bucket, scope, seq, sum, rows, version FROM scope_part WHERE bucket = ?1;
INSERT INTO scope_part (bucket, scope, seq, sum, rows, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
SELECT count(*) FROM scope_part;

-- Change
SELECT bucket, scope, ent, id, seq, live, version FROM chg WHERE bucket = ?1 AND scope = ?2 AND ent = ?3 AND id = ?4;
INSERT INTO chg (bucket, scope, ent, id, seq, live, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1);
UPDATE chg SET seq = ?5, live = ?6, version = version + 1 WHERE bucket = ?1 AND scope = ?2 AND ent = ?3 AND id = ?4 AND version = ?7;
DELETE FROM chg WHERE bucket = ?1 AND scope = ?2 AND ent = ?3 AND id = ?4 AND version = ?7;
SELECT bucket, scope, ent, id, seq, live, version FROM chg WHERE bucket = ?1;
INSERT INTO chg (bucket, scope, ent, id, seq, live, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);
SELECT count(*) FROM chg;

-- ScopeOf
SELECT bucket, scope, part, version FROM scope_of WHERE bucket = ?1 AND scope = ?2 AND part = ?3;
INSERT INTO scope_of (bucket, scope, part, version) VALUES (?1, ?2, ?3, 1);
UPDATE scope_of SET version = version + 1 WHERE bucket = ?1 AND scope = ?2 AND part = ?3 AND version = ?4;
DELETE FROM scope_of WHERE bucket = ?1 AND scope = ?2 AND part = ?3 AND version = ?4;
SELECT bucket, scope, part, version FROM scope_of WHERE bucket = ?1;
INSERT INTO scope_of (bucket, scope, part, version) VALUES (?1, ?2, ?3, ?4);
SELECT count(*) FROM scope_of;

-- Timer
SELECT bucket, due_at, entity, kind, generation, version FROM timer WHERE bucket = ?1 AND due_at = ?2 AND entity = ?3 AND kind = ?4 AND generation = ?5;
INSERT INTO timer (bucket, due_at, entity, kind, generation, version) VALUES (?1, ?2, ?3, ?4, ?5, 1);
UPDATE timer SET version = version + 1 WHERE bucket = ?1 AND due_at = ?2 AND entity = ?3 AND kind = ?4 AND generation = ?5 AND version = ?6;
DELETE FROM timer WHERE bucket = ?1 AND due_at = ?2 AND entity = ?3 AND kind = ?4 AND generation = ?5 AND version = ?6;
SELECT bucket, due_at, entity, kind, generation, version FROM timer WHERE bucket = ?1;
INSERT INTO timer (bucket, due_at, entity, kind, generation, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
SELECT count(*) FROM timer;

-- Outbox
SELECT bucket, body, version FROM outbox WHERE bucket = ?1 AND seq = ?2;
INSERT INTO outbox (bucket, seq, kind, done, written_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1);
UPDATE outbox SET kind = ?3, done = ?4, written_at = ?5, body = ?6, version = version + 1 WHERE bucket = ?1 AND seq = ?2 AND version = ?7;
DELETE FROM outbox WHERE bucket = ?1 AND seq = ?2 AND version = ?7;
SELECT bucket, body, version FROM outbox WHERE bucket = ?1;
INSERT INTO outbox (bucket, seq, kind, done, written_at, body, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);
SELECT count(*) FROM outbox;

-- Inbox
SELECT bucket, from_bucket, seq, 1 FROM inbox WHERE bucket = ?1 AND from_bucket = ?2 AND seq = ?3;
INSERT INTO inbox (bucket, from_bucket, seq) VALUES (?1, ?2, ?3);
DELETE FROM inbox WHERE bucket = ?1 AND from_bucket = ?2 AND seq = ?3;
SELECT bucket, from_bucket, seq, 1 FROM inbox WHERE bucket = ?1;
INSERT INTO inbox (bucket, from_bucket, seq) VALUES (?1, ?2, ?3);
SELECT count(*) FROM inbox;

-- Journal
INSERT INTO transfer (bucket, seq, transfer_id, kind, currency, posting, flags, debit, credit, amount, pending_id, intent_id, ref_id, deadline_at, posted_at, debit_balance_after, credit_balance_after, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18);
SELECT bucket, seq, transfer_id, kind, currency, posting, flags, debit, credit, amount, pending_id, intent_id, ref_id, deadline_at, posted_at, debit_balance_after, credit_balance_after, hash FROM transfer;
