-- Whether a company's customers are waited for while they are typing; NULL: they are not. It keeps
-- the account online, and WhatsApp then leaves out the notifications on the owner's phone.
ALTER TABLE companies ADD COLUMN typing_aware BOOLEAN;
