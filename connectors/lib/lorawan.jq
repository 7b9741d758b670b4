# lorawan.jq - what uplinks of all network servers have in common.
include "oudp";
include "measure";

# device, times (the first that can be read counts), port, decoded (an object or null), raw (is there a frame?),
# and base: members of every message, such as rssi and the place of the device.
def uplink($u):
  ([$u.times[] | utc_time] | .[0]) as $time
  | if ($u.device | type) != "string" or $u.device == "" then {refused: "no device"}
    elif $time == null then {refused: "no time that can be read"}
    elif ($u.decoded | type) == "object" then
      ($u.values // ($u.decoded | values_of)) as $values
      | if ($values | length) == 0 then {ignored: "nothing in the decoded payload that is a value"}
        else messages(topic("city/device"); $u.device; {dateObserved: $time} + $u.base; $values) end
    elif $u.raw and ($u.port == null or $u.port == 0) then {ignored: "port 0: between device and network"}
    elif $u.raw then {refused: "the frame is not decoded: set a decoder (codec, payload formatter) for this device in the network server"}
    else {ignored: "an uplink without a payload"}
    end;

def hex_lower: if type == "string" then ascii_downcase | gsub("[^0-9a-f]"; "") else null end;
def strongest($list): ([$list[] | number] | max) as $r | member("rssi"; if $r != null and $r >= -200 and $r <= 50
  and $r != 0 then $r else null end);
