-- How a payment with a key was to be paid, so that the key is refused with another way to pay: `wallet`, the id of a saved
-- card, or a gateway and what it was to charge. A card number never stands here.
alter table payment add column means text;
