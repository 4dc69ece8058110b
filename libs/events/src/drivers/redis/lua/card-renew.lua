-- Renews the leases of cards.
-- NUMKEYS: 9
-- KEYS[1] reg
-- KEYS[2] rdy
-- KEYS[3] own
-- KEYS[4] exp
-- KEYS[5] blk
-- KEYS[6] att
-- KEYS[7] ep
-- KEYS[8] unr
-- KEYS[9] dlq
-- ARGV[1] lease, ms
-- ARGV[2..] card, token, card, token…
-- Returns the cards of which the token is not that of the holder; a lease that has ended, and that nobody has taken, is renewed
--- include: card
local cards, lost = {}, {}
for i = 2, #ARGV, 2 do cards[#cards + 1] = ARGV[i] end
if #cards == 0 then return {} end
local tokens = over('HMGET', OWN, cards)
for i, card in ipairs(cards) do
  if tokens[i] == ARGV[2 * i + 1] then later('ZADD', EXP, whole(now + tonumber(ARGV[1])), card)
  else lost[#lost + 1] = card end
end
commit()
return lost
