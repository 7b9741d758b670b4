# lorawan.jq - what uplinks of all network servers have in common.
include "oudp";
include "measure";

# Members of a frame, by the decoder that device-decoders of the block gives to one of the names: {members}, {refused}, or
# null.
def decode($question): {decode: $question} | ask;

def _uplink($u; $time; $values; $base):
  if ($values | length) == 0 then {ignored: "nothing in the decoded payload that is a value"}
  else messages(topic("city/device"); $u.device; {dateObserved: $time} + $base; $values) end;

# A device that tells its own place: gps of Cayenne LPP, or latitude and longitude.
def _own_place: [(., .[], .[][]? | objects) | point(.longitude; .latitude)] | .[0] | if . == null then {} else {location: .} end;

# An uplink: device, times (the first that can be read counts), port, decoded (an object or null), values where the mapping
# has made them, and base: members of every message, such as rssi and the place. frame, {base64} or {hex}, is what was sent,
# or null, and names are those by which a decoder may be chosen: both are worked out only when nobody decoded.
def uplink($u; frame; names):
  ([first($u.times[] | utc_time)] | .[0]) as $time
  | if ($u.device | type) != "string" or $u.device == "" then {refused: "no device"}
    elif $time == null then {refused: "no time that can be read"}
    elif ($u.decoded | type) == "object" then _uplink($u; $time; $u.values // ($u.decoded | values_of);
      if any($u.decoded[]; type == "object") or $u.decoded.latitude != null then ($u.decoded | _own_place) + $u.base
      else $u.base end)
    else frame as $frame
      | if $frame == null then {ignored: "an uplink without a payload"}
        elif $u.port == null or $u.port == 0 then {ignored: "port 0: between device and network"}
        else (decode($frame + {port: $u.port, names: [names | strings]})) as $answer
          | if $answer == null then {refused: ("the frame is not decoded: set a decoder (codec, payload formatter) for this"
              + " device in the network server, or device-decoders in the block")}
            elif $answer.refused then {refused: $answer.refused}
            else _uplink($u; $time; $answer.members | values_of; ($answer.members | _own_place) + $u.base) end
        end
    end;

# A frame as text, or nothing.
def frame_as($name): if type == "string" and . != "" then {($name): .} else null end;

def hex_lower: if type == "string" then ascii_downcase | gsub("[^0-9a-f]"; "") else null end;
def strongest($list): ([$list[] | if type == "number" then . else number end] | max) as $r
  | if $r != null and $r >= -200 and $r <= 50 and $r != 0 then {rssi: $r} else {} end;
