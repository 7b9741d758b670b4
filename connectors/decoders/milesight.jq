# Milesight: channel, type, value, one behind the other; numbers are the lowest byte first (the user guides of each model).
# What a bit of type 0 and a number of type 0x7d stand for depends on the model: the argument, as in milesight WS301.
include "bytes";

(.argument | ascii_upcase) as $model
# channel of a bit (type 0): what it is
| (if $model | startswith("AM3") then {"5": "motion"}
   elif $model | startswith("WS301") then {"3": "open", "4": "tamper"}
   elif $model | startswith("WS202") then {"3": "motion"}
   elif $model | startswith("VS34") then {"3": "occupancy"}
   elif $model | startswith("EM300-MCS") then {"6": "open"}
   elif $model | test("^EM300-(S|Z|M)LD") then {"5": "leak"}
   else {} end) as $bits
| elements(.at as $at | unsigned($at; 1) as $channel | unsigned($at + 1; 1) as $type
  | def two: unsigned_le($at + 2; 2);
    def one($name; f): {size: 3, members: {($name): (unsigned($at + 2; 1) | f)}};
    def pair($name; f): {size: 4, members: {($name): (two | f)}};
    if $channel >= 254 then {"1": 1, "9": 2, "10": 2, "11": 1, "15": 1, "22": 8, "255": 2}[$type | tostring] as $n
      | if $n then {size: (2 + $n), members: {}} else {size: (size - $at), members: {}} end  # settings, answers
    elif $type == 206 then {size: (size - $at), members: {}}  # what was kept while there was no network: has times of its own
    elif $type == 117 then one("battery"; .)
    elif $type == 103 then {size: 4, members: {temperature: (signed_le($at + 2; 2) / 10)}}
    elif $type == 104 then one("humidity"; . / 2)
    elif $type == 115 then pair("pressure"; . / 10)
    elif $type == 123 then pair("waterPressure"; {value: ., unit: "kPa"})
    elif $type == 130 then pair("distance"; {value: ., unit: "mm"})
    elif $type == 106 then pair("activity"; .)
    elif $type == 101 then {size: 8, members: {illuminance: two}}
    elif $type == 203 then one("light_level"; {value: .})
    elif $type == 214 then one("remaining"; {value: ., unit: "%"})
    elif $type == 230 then pair("tvoc"; {value: ., unit: "ug/m3"})
    elif $type == 237 or $type == 1 then {size: 3, members: {}}
    elif $type == 125 then
      if $channel == 7 or ($channel == 5 and ($model | startswith("EM500"))) then pair("co2"; .)
      elif $channel == 8 then (if $model | startswith("AM1") then pair("tvoc"; {value: ., unit: "ppb"})
        elif $model | startswith("AM3") then pair("iaq"; {value: (. / 100)}) else {size: 4, members: {}} end)
      elif $channel == 10 then pair("hcho"; {value: (. / 100), unit: "mg/m3"})
      elif $channel == 11 then pair("pm2_5"; .)
      elif $channel == 12 then pair("pm10"; .)
      elif $channel == 13 then pair("o3"; {value: (. / 100), unit: "ppm"})
      else error("a number of channel \($channel): the argument must name the model") end
    elif $type == 0 then ($bits[$channel | tostring]) as $name
      | if $name == "open" then one("contact"; 1 - .)
        elif $name then one($name; .)
        elif $model == "" then error("a bit of channel \($channel): the argument must name the model")
        else {size: 3, members: {}} end
    else error("an element of channel \($channel) and type \($type), which it does not know") end)
