# bytes.jq - numbers out of the bytes of a frame, for decoders of devices. Input: {"bytes": [0..255, ...]}, positions from
# 0. What stands beyond the end of the frame is an error in words: the frame is refused.

def size: .bytes | length;
def _slice($at; $n): if $at < 0 or $at + $n > (.bytes | length) then error("the frame is too short") else .bytes[$at:$at + $n]
  end;
def _big: reduce .[] as $b (0; . * 256 + $b);
def _signed($n): if . >= pow(2; 8 * $n - 1) then . - pow(2; 8 * $n) else . end;

# $n bytes as a whole number, the highest byte first, or with _le the lowest first.
def unsigned($at; $n): _slice($at; $n) | _big;
def unsigned_le($at; $n): _slice($at; $n) | reverse | _big;
def signed($at; $n): unsigned($at; $n) | _signed($n);
def signed_le($at; $n): unsigned_le($at; $n) | _signed($n);

# 32 bits of IEEE 754; what is no number is nothing.
def _float: (if . >= 2147483648 then -1 else 1 end) as $sign | (. % 2147483648) as $v
  | (($v / 8388608) | floor) as $e | ($v - $e * 8388608) as $m
  | if $e == 255 then empty elif $e == 0 then $sign * $m * pow(2; -149)
    else $sign * (8388608 + $m) * pow(2; $e - 150) end;
def float32($at): unsigned($at; 4) | _float;
def float32_le($at): unsigned_le($at; 4) | _float;

# Bit $n of a byte, the lowest is 0; $n bits from bit $from of the frame on, the highest of the first byte is 0.
def bit($at; $n): unsigned($at; 1) | (. / pow(2; $n) | floor) % 2;
def bits($from; $n): (($from / 8) | floor) as $at | ((($from + $n + 7) / 8) | floor) as $stop
  | unsigned($at; $stop - $at) | (. / pow(2; 8 * $stop - $from - $n) | floor) | . - (. / pow(2; $n) | floor) * pow(2; $n);

def hex($at; $n): "0123456789abcdef" as $d | [_slice($at; $n)[] | ((. / 16) | floor) as $h | $d[$h:$h + 1]
  + $d[. - 16 * $h:. - 16 * $h + 1]] | join("");
def text($at; $n): _slice($at; $n) | map(select(. != 0)) | implode;

# Elements one behind the other until the frame ends: f sees the frame with .at, where one begins, and gives
# {size, members}: how many bytes it takes and what it says.
def elements(f): . as $frame | {at: 0, members: {}}
  | until(.at >= ($frame.bytes | length); . as $s | ($frame | .at = $s.at | f) as $e
    | if $e.size > 0 and $s.at + $e.size <= ($frame.bytes | length) then {at: ($s.at + $e.size),
        members: ($s.members + $e.members)}
      else error("the frame is too short") end)
  | .members;
