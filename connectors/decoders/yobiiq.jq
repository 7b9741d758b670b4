# Yobiiq: meters EM2101 and EM4301 (ports 1 to 10: channel, type, value of a size that the type says, the highest byte
# first), and the smoke detector SD-1001 (port 8 of that device: channel, type, a byte). Port 50 tells settings and versions,
# 11 and 60 what was switched: no values. The argument is the model (the decoders that Yobiiq publishes).
include "bytes";

# type: [name, bytes, signed, factor, unit]; no name: passed over. Of a meter of one phase L1 is the whole.
def types: {"0": [null, 4], "1": [null, 4], "3": [null, 4], "15": ["current", 4, true, 0.001, "A"],
    "19": ["activePower", 4, true, 1, "W"], "35": ["frequency", 2, true, 0.01, "Hz"],
    "36": ["totalSystemActivePower", 4, false, 1, "kW"], "37": [null, 4], "38": [null, 4], "42": ["averagePower", 4, true, 1, "W"],
    "43": [null, 4], "240": [null, 2], "241": [null, 2], "242": [null, 2]}
  + ([(4, 5) | {(tostring): ["energyImport_\(. - 3)", 4, false, 0.001, "kW.h"]}] | add)
  + ([(6, 7) | {(tostring): ["energyExport_\(. - 5)", 4, false, 0.001, "kW.h"]}] | add)
  + ([range(8; 12) | {(tostring): [null, 4]}] | add)
  + ([range(3) | {("\(. + 12)"): ["voltage_\(. + 1)", 4, true, 0.1, "V"], ("\(. + 16)"): ["current_\(. + 1)", 4, true, 0.001, "A"],
      ("\(. + 20)"): ["activePower_\(. + 1)", 4, true, 1, "W"], ("\(. + 23)"): [null, 4], ("\(. + 26)"): [null, 4],
      ("\(. + 29)"): ["powerFactor_\(. + 1)", 1, true, 0.01, "1"], ("\(. + 32)"): [null, 2], ("\(. + 39)"): [null, 4]}] | add);
def meter: elements(.at as $at | unsigned($at; 1) as $channel | unsigned($at + 1; 1) as $type | types[$type | tostring] as $t
  | if $channel == 11 and $type == 10 then {size: 3, members: {}}  # the meter behind it did not answer
    elif $t == null then error("an element of type \($type), which it does not know")
    elif $t[0] == null then {size: (2 + $t[1]), members: {}}
    else (if $t[2] then signed($at + 2; $t[1]) else unsigned($at + 2; $t[1]) end) as $v
      | {size: (2 + $t[1]), members: {($t[0]): {value: ($v * $t[3]), unit: $t[4]}}} end);

def smoke: {"1": "battery", "2": null, "3": "lowBattery", "4": "fault", "5": "smoke", "6": null, "7": null} as $names
  | elements(.at as $at | (unsigned($at; 1) | tostring) as $channel
    | if $names | has($channel) | not then error("channel \($channel), which it does not know")
      elif $names[$channel] == null then {size: 3, members: {}}
      else {size: 3, members: {($names[$channel]): unsigned($at + 2; 1)}} end);

(.argument | ascii_upcase) as $model
| if .port == 50 or .port == 11 or .port == 60 then {}
  elif $model | startswith("SD") then smoke
  elif $model | startswith("EM") then (if .port >= 1 and .port <= 10 then meter else error("port \(.port) has no values") end)
  else error("the argument must be EM2101, EM4301 or SD1001") end
