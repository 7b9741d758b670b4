# JSON of a vendor's own, mapped by settings alone; paths are names with dots between them, numbers are positions:
#   thing=PATH      of the device (required, or thing.text=NAME); prefix=TEXT stands before it
#   time=PATH       RFC 3339, a wall clock of the block's zone, or seconds, milliseconds or nanoseconds since 1970;
#                   without it the time is that of receipt
#   values=PATH     the object that holds the values; default the whole
#   name=PATH, value=PATH, unit=PATH   where one message is one value
#   lat=PATH, lon=PATH                 the place
#   member.NAME=PROPERTY UNIT [FACTOR] what NAME means; member.NAME=- leaves it out
#   unknown=ignore                     leaves out what nobody explains
include "oudp";
include "measure";

def at($path): reduce ($path | split(".")[]) as $k (.; if type == "object" then .[$k] elif type == "array"
  and ($k | test("^[0-9]+$")) then .[$k | tonumber] else null end);
def set($name): $settings[$name] as $p | if $p == null then null else at($p) end;
def any_time: if type == "string" and (test("^[0-9.]+$") | not) then utc_time
  else number | (if . > 1e17 then . / 1e9 elif . > 1e11 then . / 1000 else . end) | floor | todate end;

def strip($paths): reduce ($paths[] | strings | split(".") | map(if test("^[0-9]+$") then tonumber else . end)) as $p (.;
  try delpaths([$p]) catch .);
def record: if type != "object" then {refused: "no JSON object"}
else
  . as $m
  | ((set("thing") // $settings["thing.text"]) | if type == "string" or type == "number" then tostring
    else null end) as $thing
  | ([if $settings["time"] then set("time") | any_time else source.received | utc_time end] | .[0]) as $time
  | if $thing == null or $thing == "" then {refused: "no thing: see the settings thing and thing.text"}
    elif $time == null then {refused: "no time that can be read: see the setting time"}
    else
      (if $settings["value"] then
         {((set("name") // $settings["value"]) | tostring): (set("value") as $v | set("unit") as $u
           | if ($u | type) == "string" then {value: $v, unit: $u} else $v end)}
       else (if $settings["values"] then set("values") else strip([$settings["thing"], $settings["time"], $settings["lat"],
         $settings["lon"]]) end) end) as $o
      | if ($o | type) != "object" then {refused: "no object of values: see the setting values"}
        else
          [messages(topic("city/device"); ($settings["prefix"] // "") + $thing;
             {dateObserved: $time} + member("location"; point($m | set("lon"); $m | set("lat"))); $o | values_of)]
          | if length == 0 then {ignored: "no value"} else . end
        end
    end
end;
each(record)
