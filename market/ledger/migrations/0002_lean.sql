-- The embedded database asks the triggers on delete also for what `insert or replace` would delete (`recursive_triggers`,
-- which the store sets): these would only be run once more for each row.
-- sqlite only
drop trigger ledger_account_is_not_replaced;
drop trigger ledger_journal_is_not_replaced;
drop trigger ledger_transfer_is_not_replaced;
-- both
