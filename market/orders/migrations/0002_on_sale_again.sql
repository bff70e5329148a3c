-- How much of a line that was sold is on sale again: a refund and the end of a subscription may both want it, and each
-- piece goes back once.
alter table order_line add column on_sale_again integer not null default 0
    check (on_sale_again between 0 and quantity);

update order_line set on_sale_again = (
    select coalesce(sum(order_refund_line.quantity), 0) from order_refund_line
    join order_refund on order_refund.id = order_refund_line.plan
    where order_refund.order_id = order_line.order_id and order_refund_line.number = order_line.number
        and order_refund.state = 'settled' and order_refund.give_back = 1);

update order_line set on_sale_again = quantity
    where order_id in (select id from orders where state = 'failed');
