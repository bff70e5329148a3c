-- Most documents are receipts, which belong to no subscription.
drop index invoice_of_subscription;
create index invoice_of_subscription on invoice (subscription, created_at) where subscription is not null;
